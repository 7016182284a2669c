"""Workloads that follow targets: their baselines, their restarts, and the report of these in the status.

The walk of one change, from a run to the next run:

1. Before a run writes a target, run/applier.py calls `Restarter.prepare`: baseline_writer.py saves the baselines.
2. After the write it calls `Restarter.written`: looks.py waits until the namespace of the target is quiet.
3. workers.py takes the namespace and calls `Restarter.look`: restarter.py lists its workloads.
4. For each workload, followed.py finds what its targets hold, and core/rollout/decision.py decides by its table.
5. workload_restarter.py carries the decision out, and records the result in the `Look` (look.py).
6. report.py turns the `Look` into Events and into the report of each target, and calls `wake` if a report changed.
7. `wake` is `Triggers.restarts_changed` (triggers.py): it queues the PhaseSecrets of the target for another run.
8. When that run ends, reconcile/report.py gets the report from `Restarter.report_for` and writes it into the status.
"""
