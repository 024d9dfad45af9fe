"""Messages to people, through apprise: mail, Slack, DingTalk, WeCom, Feishu and a hundred others.

    notify.send(root, notify.Event("failed", …))     at the end of what happened

A message is an extra: whatever goes wrong with it is one line in the log, and costs a run at most
`notify.timeout_seconds`. The addresses hold tokens. They come from the variable CONVOY_NOTIFY_URLS or from a
Prefect Secret block, go to the sending process through a pipe, and no text that convoy writes holds them.
"""

from convoy.notify.event import Event
from convoy.notify.sending import send

__all__ = ["Event", "send"]
