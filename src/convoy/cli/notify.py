"""`convoy notify`: whether messages arrive, and to whom they would go; never an address."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from convoy.cli import _server

if TYPE_CHECKING:
    from convoy.notify import Event
    from convoy.notify.deliver import Outcome

app = typer.Typer(no_args_is_help=True, help="Messages to people: mail, Slack, DingTalk, WeCom, Feishu …")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("test")
def send(
    message: Annotated[str, typer.Argument(help="What to send.")] = "a test message; 测试消息",
    json: Json = False,
) -> None:
    """Send a message to every address, whatever section `notify` says; exit 5 where one does not take it."""
    from convoy import environment
    from convoy.errors import ResourceError
    from convoy.notify import Event

    root = environment.project_root()
    found = _ask(Event("recovered", f"convoy: {root.name}", message))
    _show(found, "sent", json)
    failed = [outcome for outcome in found if not outcome.ok]
    if failed:
        raise ResourceError(
            f"{len(failed)} of {len(found)} services did not take the message",
            where=", ".join(f"{outcome.service} ({outcome.number})" for outcome in failed),
            fix="see the reason above; the number is the place in the list of addresses",
        )


@app.command("list")
def show(json: Json = False) -> None:
    """The services that are told, and of which events; nothing is sent."""
    _, config = _server.project()
    found = _ask(None)
    _show(found, "known", json, config.notify.events)
    if json:
        return
    events = ", ".join(config.notify.events)
    typer.echo(
        f"told of: {events}" if events else "told of nothing: add `notify: {events: [failed]}` to params.yaml"
    )


def _ask(event: "Event | None") -> "list[Outcome]":
    """Raises:
    ConfigError: there is no address.
    """
    import os

    from convoy.errors import ConfigError
    from convoy.notify import sending

    _, config = _server.project()
    if not os.environ.get(sending.ADDRESSES) and config.notify.block is None:
        raise ConfigError(
            "there is nobody to tell",
            fix=f"set {sending.ADDRESSES}, as mailto://… or dingtalk://… (docs/notifications.md)",
        )
    return sending.ask(config.notify, event)


def _show(found: "list[Outcome]", good: str, json: bool, events: Sequence[str] | None = None) -> None:
    if json:
        rows = [asdict(outcome) for outcome in found]
        _server.show_json(rows if events is None else {"services": rows, "events": list(events)})
        return
    _server.show_table(
        ("", "service", "", "reason"),
        ((o.number or "", o.service, good if o.ok else "failed", o.reason) for o in found),
    )
