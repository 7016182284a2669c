"""A call that changes something at Phase and whose answer is lost: how long it may still have an effect.

Rule: it is settled by looking, never by calling again. The server ends a call after two minutes, so only a look after
that proves that nothing was done. Times are in seconds.
"""

# After the answer was lost. Mostly the call is done at once; the last look is later than any call lives.
LOOKS = (5.0, 15.0, 45.0, 130.0)
# No call is sent later than this after its announcement in a ledger: it is taken back instead.
SENT_WITHIN = 30.0
# By which the clock of a process may differ from that of the API server (see reconcile/errands/ledger_clock.py): its
# answers tell whole seconds, and take a moment to come.
CLOCK_OFF = 5.0
# By which the clocks of two processes that write one ledger may differ, so that neither settles too early what the
# other has announced: they may be off in opposite directions, and an answer of the API server may come late.
CLOCKS_APART = 3 * CLOCK_OFF
# No call has an effect later than this after its answer was lost.
SURELY_DONE = LOOKS[-1]


def sent_until(announced_at: float) -> float:
    """Return the moment from which on an announced call may not be sent."""
    return announced_at + SENT_WITHIN


def lost_by(announced_at: float, now: float) -> float:
    """Return when the call of a process that is no more was lost at the latest.

    It is told by the ledger, so it is the same for each process that comes after: however short they live, the last
    look is not put off.
    """
    return min(now, sent_until(announced_at) + CLOCKS_APART)


def next_look(lost_at: float, looked_at: float) -> float | None:
    """Return when to look for the effect of a lost call after the last look; None if that look was the last one."""
    return next((lost_at + each for each in LOOKS if lost_at + each > looked_at), None)
