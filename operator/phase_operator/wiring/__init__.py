"""The composition root: connect objects by the settings, and start and stop them in the right order.

The only package that imports all others. It decides nothing but order.

| module | builds |
|---|---|
| process | the process: clients, logs, ports, system limits; the command line calls its `run` |
| operator | the life of one replica: wait for the Lease, prepare, work, drain, give it back |
| shared | the edges to Phase, and the parts of the loop that leases and pushes use as well |
| leases | what drives the leases of PhaseDynamicSecrets |
| pushes | what pushes the entries of PhasePushSecrets |
| loop | the parts of the reconcile loop, from the work queue to the workers |
| watches | the watches, and the lists that they are compared with |
| probes | the checks of liveness and readiness, and the figures that metrics read at a scrape |
| files | how many files the settings need open |
"""

from phase_operator.wiring.files import StartError, files_to_allow
from phase_operator.wiring.operator import Operator
from phase_operator.wiring.probes import Patience
from phase_operator.wiring.process import run
from phase_operator.wiring.shared import Clients, Edges

__all__ = ["Clients", "Edges", "Operator", "Patience", "StartError", "files_to_allow", "run"]
