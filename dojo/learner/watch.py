"""The learner's loop: save, and be told; everything else is a key away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Group, RenderableType
from rich.text import Text

from ..curriculum import stubs
from ..curriculum.catalog import Kata
from ..judge.client import Judge
from ..judge.verdict import Verdict
from ..system.console import console, warn
from .events import Bench, Event, Events, Verdicts, read_keys, terminal, watch_files
from .screen import keys_text, verdict_text
from .session import School, board, hint_text

PATIENT = 3  # failures of the same claim, after which a hint is offered
TRAIN = "Every kata is solved. Press g and the GPT that you built is trained, of your own parts only."


class Loop:
    """One kata at a time, its verdict, and what the last key asked for."""

    def __init__(self, school: School, kata: Kata, judge: Judge, interactive: bool):
        self.school, self.kata, self.interactive = school, kata, interactive
        self.events: Events = Events()
        self.verdicts = Verdicts(judge, self.events)
        self.bench = Bench(school.root, self.events)
        self.verdict: Verdict | None = None
        self.traceback = False
        self.running = False
        self.below: RenderableType | None = board(school)  # what the last key asked for
        self.asking: Callable[[], None] | None = None  # what happens when y is pressed
        self.offered: set[str] = set()  # the claims at which a hint was offered
        self.graduating = False
        self.trouble = ""  # what went wrong beside the verdict
        if interactive:  # elsewhere it is said at once, on standard error
            school.say = self._keep

    def _keep(self, trouble: str) -> None:
        self.trouble = trouble

    def run(self) -> int:
        """Until q, Ctrl-C or a signal; the exit status. 128 and more: the signal."""
        with terminal(self.events), self._watching():
            self.judge(self.kata)
            try:
                return self._follow()
            finally:
                self.bench.stop()

    def _follow(self) -> int:
        while True:
            event = self.events.get()
            if event.kind == "stop":
                return 0 if event.value is None else 128 + event.value
            self.happen(event)
            if self.graduating:
                return 0

    def happen(self, event: Event) -> None:
        """Let one event change what is shown."""
        if event.kind == "saved":
            self.judge(self.school.catalog.by_slug(event.value))
        elif event.kind == "verdict" and event.run == self.verdicts.run:
            self.show(event.value)
        elif event.kind == "trouble" and event.run == self.verdicts.run:
            self.running = False
            self.say(f"{event.value} {'Press r' if self.interactive else 'Save'} to try again.", "red")
        elif event.kind == "raced" and event.run == self.bench.run:
            self.asking = None  # the question goes from the screen
            self.put(Text(event.value))
        elif event.kind == "key":
            self.press(event.value)
        elif event.kind == "resized":
            self.draw()

    def judge(self, kata: Kata) -> None:
        """Ask for a verdict on a kata, which is the current one from now on."""
        if kata is not self.kata:
            self.kata, self.verdict = kata, None
        self.running, self.asking = True, None
        self.bench.stop()  # it would be measured beside the judge, and of another file
        self.verdicts.ask(kata, self.school.progress.solved(self.school.catalog))
        self.draw()

    def show(self, verdict: Verdict) -> None:
        """A verdict has come in."""
        self.running, self.verdict, self.below, self.trouble = False, verdict, None, ""
        self.school.note(self.kata, verdict)
        if verdict.verdict == "passed":
            self.below = self._learned()
        elif self._stuck(verdict):
            self.offered.add(verdict.property)
            self.below = Text("This one is stubborn. A hint may help: press h.", "cyan")
        self.draw()

    def _learned(self) -> Text:
        done = self.school.next is None
        lines = [self.kata.takeaway, "", "s compares with the reference, n goes on."]
        return Text("\n".join([*lines, *([TRAIN] if done else [])]).strip(), "green")

    def _stuck(self, verdict: Verdict) -> bool:
        known = verdict.property in self.offered or not self.kata.hints(verdict.step or 1)
        return not known and self.school.progress.tries(self.kata) >= PATIENT

    def press(self, key: str) -> None:
        """A key was pressed."""
        if self.asking is not None:
            then, self.asking, self.below = self.asking, None, None
            return then() if key == "y" else self.draw()
        actions = {
            "h": self.hint,
            "n": lambda: self.go(1),
            "p": lambda: self.go(-1),
            "l": lambda: self.put(board(self.school)),
            "s": self.solution,
            "r": lambda: self.judge(self.kata),
            "b": self.race,
            "x": self.reset,
            "t": self.toggle,
            "g": self.graduate,
            "q": lambda: self.events.put(Event("stop")),
        }
        return actions.get(key, lambda: None)()

    def put(self, what: RenderableType) -> None:
        """Show something below the verdict."""
        self.below = what
        self.draw()

    def say(self, text: str, style: str = "yellow") -> None:
        self.put(Text(text, style)) if self.interactive else warn(text)

    def hint(self) -> None:
        step, hints, left = self.school.hint(self.kata)
        if not hints:
            return self.say(f"There are no hints for step {step}. The lesson: {self.school.near(self.kata.lesson)}")
        more = f"{left} more: h" if left else "That was the last one. s shows the solution."
        return self.put(hint_text(self.kata, step, hints, more))

    def go(self, by: int) -> None:
        katas = self.school.catalog.katas
        at = katas.index(self.kata) + by
        if 0 <= at < len(katas):
            self.below = None
            self.judge(katas[at])
        else:
            self.say(f"{self.kata.code} is the {'last' if by > 0 else 'first'} one.")

    def solution(self) -> None:
        shown = Text(stubs.plain(self.kata))
        if self.school.progress.status(self.kata) == "solved":
            self.put(shown)
        else:
            self.ask("It is no shame to look. Show the solution? y or n", lambda: self.put(shown))

    def reset(self) -> None:
        self.ask("Write the stub anew? Your file is kept as a backup. y or n", self._reset)

    def _reset(self) -> None:
        try:
            kept = self.school.reset(self.kata)
        except OSError as error:
            return self.say(f"Your file could not be kept, so nothing was changed: {error}.")
        self.say(f"Your file is kept as {self.school.near(kept)}" if kept else "It is the untouched stub.")
        return self.judge(self.kata)

    def toggle(self) -> None:
        self.traceback = not self.traceback
        self.draw()

    def graduate(self) -> None:
        if self.school.next is None:
            self.graduating = True
        else:
            self.say(f"{self.school.next.code} is not solved yet; then your GPT can be trained.")

    def race(self) -> None:
        """Race what there is to race of this kata, or end the race that is under way."""
        if self.bench.busy:
            self.bench.stop()
            return self.say("The race was ended.")
        if not self.kata.races.is_file():
            return self.say(f"{self.kata.code} has nothing to race.")
        if self.running:
            return self.say("Wait for the verdict; then b begins the race.")
        solved = self.school.progress.status(self.kata) == "solved"
        without = "" if solved else f" {self.kata.code} is not solved yet, so your code is not in it."
        self.bench.start(self.kata, console.width)
        return self.say(f"Racing, in up to half a minute.{without} A second b, or a save, ends it.", "cyan")

    def ask(self, question: str, then: Callable[[], None]) -> None:
        """Ask before doing something; any key but y leaves it."""
        self.put(Text(question, "bold yellow"))
        self.asking = then

    def draw(self) -> None:
        """Show everything anew; where nobody sits at the terminal, print each verdict once."""
        if not self.interactive:
            if not self.running and self.verdict is not None:
                console.print(self._verdict())
            return
        below = [part for part in (self.below, Text(self.trouble, "yellow")) if part]
        parts = [part for shown in (self._verdict(), *below, self._keys()) for part in (shown, Text())]
        console.clear()
        console.print(Group(*parts[:-1]))

    def _verdict(self) -> Text:
        return verdict_text(self.school, self.kata, self.verdict, self.traceback, advice=not self.interactive)

    def _keys(self) -> Text:
        return Text(f"Judging {self.school.near(self.kata.file)} …", "dim") if self.running else keys_text(self.kata)

    @contextmanager
    def _watching(self) -> Iterator[None]:
        done = threading.Event()
        threads = [threading.Thread(target=watch_files, args=(self.school.catalog, self.events, done), daemon=True)]
        if self.interactive:
            threads.append(threading.Thread(target=read_keys, args=(self.events,), daemon=True))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            done.set()


def watch(school: School, kata: Kata | None, interactive: bool) -> int:
    """Judge on every save until the learner leaves; the exit status."""
    with Judge(school.root) as judge:
        loop = Loop(school, kata or school.suggested or school.catalog.katas[0], judge, interactive)
        status = loop.run()
    if loop.graduating:
        from ..cli import train as graduation  # imports torch

        solved = school.progress.solved(school.catalog)
        return graduation.train(school.catalog, solved, "verona", False, console)
    return status
