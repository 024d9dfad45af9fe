"""Whether this process was told to end and does so: it may still finish what it is at."""

from threading import Event

heard = Event()  # set by whoever takes the signal
