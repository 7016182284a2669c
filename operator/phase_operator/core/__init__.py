"""The pure centre: values in, values out; in rooms, each with one subject.

Pure means: no await, no clock, no log, no I/O, no randomness. Whatever a function here needs is an argument, and what
it decides is returned as data. So the hard part of the operator is tested with plain values. The machines of `flow`
and a few of their kind elsewhere keep state between calls, and nothing else does.

| room | subject |
|---|---|
| access | what a PhaseSecret may use: namespaces, hosts and the way to them, types of Secrets |
| status | what a run came to -> what users see: the status document, its conditions and Events |
| rollout | workloads that follow targets: what their pods have read, and whether to restart them |
| targets | the objects that a PhaseSecret writes: desired, observed, and what to do about the difference |
| source | what is asked of Phase, and which entries of an answer count |
| content | entries -> the bytes of one object: keys, values, formats, types and templates, within limits |
| flow | small machines without I/O: queues, limits, back-off, election; time is an argument |
| outcome | what a run came to, as one value |
| refs | the kinds of target, where a target is, and which PhaseSecret it belongs to |
| errors, values, text, json_access, globs | nouns and tools of all rooms |

A room uses what stands below it in pyproject.toml's contract "The rooms of the core", and no neighbour.
"""
