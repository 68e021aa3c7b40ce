"""Waiting for a condition with a deadline. The only place of the tests that sleeps."""
import time

POLL_SECONDS = 0.05


def wait_for(what, condition, seconds=60, poll=POLL_SECONDS):
    """The first true value of `condition()`. Raises TimeoutError that says `what`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(poll)
