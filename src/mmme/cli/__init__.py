"""The verbs. Each is a thin door to a function of the package; heavy imports happen inside the verb that needs them."""

from __future__ import annotations

import click

from mmme import __version__
from mmme.cli import (
    agreement,
    analyse,
    benchmark,
    coding,
    data,
    demo,
    magnify,
    predict,
    pulse,
    results,
    score,
    sharing,
    spot,
)
from mmme.cli.console import Verbs

__all__ = ["cli", "main"]


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="mmme")
def cli() -> None:
    """From raw recordings of a face and a body to micro-expression results that can be trusted."""


for _verb in (
    demo.demo,
    data.simulate,
    data.inspect,
    data.import_,
    data.align,
    data.check,
    coding.coding,
    agreement.agree,
    sharing.share,
    results.features,
    results.evaluate,
    benchmark.benchmark,
    score.score,
    analyse.analyse,
    results.rerun,
    results.report,
    predict.train,
    predict.predict,
    spot.spot,
    magnify.magnify,
    pulse.pulse,
    results.config,
):
    cli.add_command(_verb)


def main() -> None:
    """Run the command line."""
    cli()
