"""The loop, with its edges as ports: key -> resource -> query -> snapshot -> desired -> plan -> outcome -> status and Events.

| room | purpose |
|---|---|
| workers | The worker loops: they run keys, make calls to Phase, and check namespaces for restarts |
| triggers | From an event to the keys that have to run: the only door from the watches to the work queue |
| report | The outcome of a run -> the status, Events, the log and metrics; each only if it changed |
| leases | PhaseDynamicSecrets: drive the leases of each by its ledger, and keep its targets in step with what serves |
| pushes | PhasePushSecrets: do what the machine of core/push decides, and read values only where they are about to be sent |
| run | One PhaseSecret, once: from its spec to its targets and its outcome |
| restarts | Workloads that follow targets: their baselines, their restarts, and the report of these in the status |
| retries | When a run that failed is repeated: back-off for each PhaseSecret, one pace for all while the API server is away |
| context | What one PhaseSecret asks for: everything that a run derives from its spec and status, derived once |
| errands | Calls to Phase that a run plans and never waits for, such as those for leases; they have places of their own |
| polling | What is asked of Phase, and when: accounts, queries, calls and their answers |
| admissions | Which PhaseSecrets may use which token Secrets and targets, and run again when one of these changes |
| writers | Which PhaseSecrets write a target: those that were admitted to it and those whose mark its object carries |
| internal_errors | Unexpected errors: logged, counted and survived |
| queue | A keyed work queue: coalesces, delays, runs a key once at a time |
| store | Our resources as the watch last showed them: a store for each kind, and all of them as one |
| index | Which PhaseSecrets use an object, and run again when it changes: token Secrets, targets |
| background | Computations that take longer than the event loop may wait, done in a thread |
| waiting_line | A line of those who wait: each goes on when it is woken, in the order in which they came |
| watchdog | Which steps are in progress, and whether one of them hangs |
| lease_ports | What the leases of dynamic secrets need from the edges, beyond what every resource needs; as ports.py |
| ports | What the loop needs from the edges, as Protocols; the edges implement them, tests pass fakes |
| attempts | Observe, decide and act; and repeat at once, a few times, if the object changed in between |

A room uses what is below it in pyproject.toml's contract "The rooms of the loop", and no neighbour.
"""
