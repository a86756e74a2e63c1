"""Write ``docs/cli.md`` from the verbs' own help: ``python -m mmme.cli.reference > docs/cli.md``."""

from __future__ import annotations

from collections.abc import Iterator

import click

__all__ = ["reference"]


def reference(group: click.Group) -> str:
    """
    Return the command reference as Markdown.

    Parameters
    ----------
    group
        The ``mmme`` command.
    """
    parts = [
        "# Commands",
        "",
        "Made from the commands' own help by `make docs`; a test compares. Exit codes: 0 done, 1 findings of level error,",
        "a recording that failed or a result that did not repeat, 2 wrong usage, 3 bad input (one sentence says what), 130",
        "interrupted (what was finished is kept).",
    ]
    for name, command in _all_verbs(group):
        context = click.Context(
            command,
            info_name=f"mmme {name}",
            terminal_width=100,
            max_content_width=100,
            help_option_names=group.context_settings["help_option_names"],
        )
        parts += ["", f"## mmme {name}", "", "```text", command.get_help(context).rstrip(), "```"]
    return "\n".join(parts) + "\n"


def _all_verbs(group: click.Group) -> Iterator[tuple[str, click.Command]]:
    """Verbs in order; those of a group after it, under both names."""
    for name, command in group.commands.items():
        yield name, command
        if isinstance(command, click.Group):
            for below, inner in command.commands.items():
                yield f"{name} {below}", inner


if __name__ == "__main__":
    from mmme.cli import cli

    click.echo(reference(cli), nl=False)
