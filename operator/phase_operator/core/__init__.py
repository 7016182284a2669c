"""The pure centre: values in, values out; in rooms, each with one subject.

Pure means: no await, no clock, no log, no I/O, no randomness. Whatever a function here needs is an argument, and what
it decides is returned as data. So the hard part of the operator is tested with plain values. The machines of `flow`
and a few of their kind elsewhere keep state between calls, and nothing else does.

| room | purpose |
|---|---|
| access | What a PhaseSecret may use: namespaces, hosts and the way to them, types of Secrets |
| status | The outcome of a run -> what users see: the status document, its conditions and Events |
| rollout | Workloads that follow targets: what their pods have read, and whether to restart them |
| pipeline | The way from a spec and an answer to the objects that a PhaseSecret wants: choose, check, render; without a cluster |
| leases | Leases of dynamic secrets: which exist, what they are for, and what comes next |
| push | Entries that are pushed to Phase: what the cluster wants there, whose an entry is, and what comes next |
| targets | The objects that a PhaseSecret writes: desired, observed, and what to do about the difference |
| source | What is asked of Phase, and which entries of an answer count |
| content | Entries -> the bytes of one object: keys, values, formats, types and templates, within limits |
| flow | Small machines without I/O: state inside, time an argument. Back-off, turns, outages, election |
| outcome | The result of a run: the one value that status, Events, metrics and the next run are made from |
| refs | The names of what is written: kinds of target, where a target is, and the PhaseSecret that it belongs to |
| label_selector | Label selectors, in kubectl's syntax: `tier=api,env!=dev,team in (a,b),!legacy` |
| errors | The expected failures, by consequence |
| values | The values that all rooms use: keys of objects, secret text, entries, snapshots |
| text | Text for people: foreign text made safe for display, lists of names, and similar names |
| object_names | Which texts Kubernetes takes for names |
| timestamps | Times as in statuses, logs and objects of Kubernetes: RFC 3339 in UTC, with seconds |
| json_access | Look into JSON that others wrote |
| globs | Glob patterns, compiled once for thousands of keys |
| digests | Digests that are stored in a cluster: how they are computed and encoded |

A room uses what is below it in pyproject.toml's contract "The rooms of the core", and no neighbour.
"""
