"""What is asked of Phase, and when: accounts, queries, calls and their answers.

`poller.py` makes the calls; `scheduler.py` decides which, without a clock, from these modules:

- what is known: `accounts.py`, `app_state.py`, `query_state.py`, `keyrings.py`, and `views.py` for PhaseSecrets
- when a call is due: `timetable.py`; in which order an account makes its calls: `fair_queue.py`
- which account is next: `dispatch.py` with `timers.py`; what holds it back: `gates.py` and `limits/`
- what a call asks: `call_builder.py`
- what follows from its end: `shared_answer.py`, `results.py`, `encrypted.py`, `failures.py`
"""
