"""The loop, told in ports: key -> resource -> query -> snapshot -> desired -> plan -> outcome -> status and Events.

| room | subject |
|---|---|
| controller | keys come in, workers run them, each outcome becomes status, Events, metrics and the next run |
| run | one PhaseSecret, once: from its spec to its targets and its outcome |
| restarts | workloads that follow targets: looked at, noted, restarted and reported |
| context | what one run derives from a PhaseSecret's spec and status |
| polling | what is asked of Phase, and when: accounts, queries, calls and their answers |
| admissions, writers | which PhaseSecrets may use a token or a target, and which write a target |
| internal_errors | what nobody expected: logged, counted, outlived |
| queue | the work queue and the wait for it |
| store, index | the PhaseSecrets as the watch showed them, and who uses what |
| background, watchdog | long computations beside the loop, and whether a step hangs |
| ports | what the loop needs of the world |
| attempts | look, judge and act, and anew where the object changed in between |

A room uses what stands below it in pyproject.toml's contract "The rooms of the loop", and no neighbour.
"""
