"""The loop, told in ports: key -> resource -> query -> snapshot -> desired -> plan -> outcome -> status and Events.

| room | purpose |
|---|---|
| workers | The worker loops: keys run, calls to Phase are made, namespaces are looked at for restarts |
| triggers | From an event to the keys that have to run: the only door from the watches to the work queue |
| report | What a run came to -> the status, Events, the log and metrics; each only where there is something new to say |
| run | One PhaseSecret, once: from its spec to its targets and its outcome |
| restarts | Workloads that follow targets: their baselines, their restarts, and the report of these in the status |
| retries | When a run that failed is repeated: back-off for each PhaseSecret, one pace for all while the API server is away |
| context | What one PhaseSecret asks for: everything that a run derives from its spec and status, derived once |
| polling | What is asked of Phase, and when: accounts, queries, calls and their answers |
| admissions | Which PhaseSecrets may use which token Secrets and targets, and run again when one of these changes |
| writers | Which PhaseSecrets write a target: those that were admitted to it and those whose mark its object carries |
| internal_errors | Errors that nobody expected: logged, counted and outlived |
| queue | A keyed work queue: coalesces, delays, runs a key once at a time |
| store | The PhaseSecrets as the watch last showed them |
| index | Which PhaseSecrets use an object, and run again when it changes: token Secrets, targets |
| background | Computations that take longer than the event loop may wait, done in a thread |
| watchdog | Which steps are under way, and whether one of them hangs |
| ports | What the loop needs of the world, as Protocols; the edges implement them, tests hand in fakes |
| attempts | Look, judge and act; and anew at once, a few times, where the object changed in between |

A room uses what stands below it in pyproject.toml's contract "The rooms of the loop", and no neighbour.
"""
