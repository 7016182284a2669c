"""The composition root: settings become connected objects, which start and stop in the right order.

The only room that knows all others. It decides nothing but order.

| module | builds |
|---|---|
| process | the process: clients, logs, ports, limits of the system; `run` is what the command line calls |
| operator | the life of one replica: wait for the Lease, prepare, work, drain, give it back |
| loop | everything between the watches and the world, from the queue to the workers |
| watches | the watches, and the lists that they are compared with |
| probes | what liveness and readiness look at, and what metrics read at a scrape |
| files | how many files the settings need open |
"""

from phase_operator.wiring.files import StartError, files_to_allow
from phase_operator.wiring.operator import Operator
from phase_operator.wiring.probes import Patience
from phase_operator.wiring.process import run

__all__ = ["Operator", "Patience", "StartError", "files_to_allow", "run"]
