"""The verbs that show: pictures of the lessons, attention maps, the report page. torch comes when one is called."""

from __future__ import annotations

from pathlib import Path

import click

from ..gpt.runs import read_runs
from ..learner.session import Session
from ..system.console import console, warn

ENDINGS = (".png", ".svg")


@click.command()
@click.option("--text", default="", help="The text to look at.")
@click.option("--preset", default="", help="Of which run; else the latest, or the reference where there is none.")
@click.option("--weights", default="", help="Of a published model: `gpt2`, `smollm2`, or the path of its file.")
def attention(text: str, preset: str, weights: str) -> None:
    """Draw what each layer and head looks at in a text."""
    from ..figures.attention import draw

    session = Session()
    raise SystemExit(draw(session.catalog, session.progress.solved(session.catalog), text, preset, console, weights))


@click.command()
@click.option("--lessons", is_flag=True, help="For authors: draw them anew beside the lessons, as SVG, and README's.")
def pictures(lessons: bool) -> None:
    """Draw the lessons' pictures and the loss curves of your runs."""
    from ..figures.lesson_pictures import pictures_of
    from ..figures.plots import save
    from ..figures.run import loss_curve
    from ..gpt.model import parts

    session = Session()
    folder, (modules, _) = session.root / "runs" / "pictures", parts(session.catalog, frozenset())
    try:
        for kata, picture in [(each, picture) for each in session.catalog.katas for picture in pictures_of(each)]:
            if lessons:
                paths = [kata.lesson.with_name(f"{picture.name}.svg")]
            else:
                folder.mkdir(parents=True, exist_ok=True)
                paths = [folder / f"{kata.code}-{picture.name}{ending}" for ending in ENDINGS]
            picture.write(picture.measure(modules), kata.text, *paths)
            _say_written(session, paths)
        if lessons:
            _draw_readme(session)
        for run in [] if lessons else read_runs(session.root, warn):
            paths = [folder / f"loss-{run.name}{ending}" for ending in ENDINGS]
            save(loss_curve(run), *paths)
            _say_written(session, paths)
    except OSError as error:
        warn(f"The pictures could not be written: {error}.")
        raise SystemExit(1) from None


@click.command()
@click.option("--text", default="", help="The text whose attention is shown.")
def report(text: str) -> None:
    """Write one page to open in a browser, with all you have done."""
    from ..figures.page import write

    session = Session()
    raise SystemExit(write(session, text, console))


def _draw_readme(session: Session) -> None:
    from ..figures import readme_pictures
    from ..gpt.training import Interrupted
    from ..judge.client import JudgeError

    try:
        _say_written(session, readme_pictures.write(session))
    except Interrupted:
        raise SystemExit(130) from None
    except JudgeError as error:
        warn(str(error))
        raise SystemExit(1) from None


def _say_written(session: Session, paths: list[Path]) -> None:
    console.print(f"Written to {' and '.join(map(session.relative, paths))}", soft_wrap=True)
