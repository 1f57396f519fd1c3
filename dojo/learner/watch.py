"""The learner's loop: save, and be told; everything else is a key away."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import NamedTuple, ParamSpec

from rich.console import Group, RenderableType
from rich.text import Text

from ..curriculum import stubs
from ..curriculum.catalog import Kata
from ..judge.client import Judge
from ..judge.verdict import Verdict
from ..system.console import console, warn
from .advice import after_verdict, hint_text, then
from .board import board
from .events import Bench, Verdicts, watch_files
from .keys import INTERRUPT, keys_text, read_keys, terminal
from .room import Room, standing
from .session import Session
from .verdict_text import render

P = ParamSpec("P")
PATIENT = 3  # failures of the same claim, after which a hint is offered
TRAIN = "Every kata is solved. Press g and the GPT that you built is trained, of your own parts only."


class Ending(NamedTuple):
    """How the loop ended: its exit status (128 and more: the signal), and whether the GPT is to be trained now."""

    status: int
    train: bool = False


def watch(session: Session, kata: Kata | None, interactive: bool, room: Room | None = None) -> Ending:
    """Judge on every save until the learner leaves, and tell a room, if there is one."""
    with Judge(session.root) as judge:
        return Loop(session, kata or session.suggested or session.catalog.katas[0], judge, interactive, room).run()


class Loop:
    """One kata at a time, its verdict, and what the last key asked for."""

    def __init__(self, session: Session, kata: Kata, judge: Judge, interactive: bool, room: Room | None = None):
        self.session, self.kata, self.interactive, self.room = session, kata, interactive, room
        self.queue: SimpleQueue[Callable[[], None]] = SimpleQueue()  # what has happened, for the loop to deal with
        self.verdicts = Verdicts(judge, self._queued(self.show), self._queued(self.fail))
        self.bench = Bench(session.root, self._queued(self.raced))
        self.verdict: Verdict | None = None
        self.traceback = False
        self.running = False
        self.below: RenderableType | None = board(session)  # what the last key asked for
        self.asking: Callable[[], None] | None = None  # what happens when y is pressed
        self.offered: set[str] = set()  # the claims at which a hint was offered
        self.ending: Ending | None = None
        self.trouble = ""  # what went wrong beside the verdict
        if interactive:  # elsewhere it is printed at once, on standard error
            session.warn = self._keep

    def _keep(self, trouble: str) -> None:
        self.trouble = trouble

    def run(self) -> Ending:
        """Until q, Ctrl-C or a signal."""
        done = threading.Event()
        with terminal(self._queued(self.signalled)):
            _in_background(watch_files, self.session.catalog, self._queued(self.judge), done)
            if self.interactive:
                _in_background(read_keys, self._queued(self.press))
            if self.room:
                self.room.start(self._queued(self.room_changed))
            try:
                self.judge(self.kata)
                while self.ending is None:
                    self.queue.get()()
                return self.ending
            finally:
                done.set()
                self.bench.stop()
                if self.room and self.room.open:
                    self.room.leave()

    def _queued(self, action: Callable[P, None]) -> Callable[P, None]:
        """An action as other threads and signals may call it: it waits in the queue until the loop comes to it."""

        def put(*arguments: P.args, **options: P.kwargs) -> None:
            self.queue.put(partial(action, *arguments, **options))

        return put

    def signalled(self, number: int, frame: object) -> None:
        """Draw anew where the terminal has another size; any other signal ends the loop."""
        if signal.Signals(number).name == "SIGWINCH":
            self.draw()
        else:
            self.ending = Ending(128 + number)

    def judge(self, kata: Kata) -> None:
        """Ask for a verdict on a kata, which is the current one from now on."""
        if kata is not self.kata:
            self.kata, self.verdict = kata, None
        self.running, self.asking = True, None
        self.bench.stop()  # it would be measured beside the judge, and of another file
        self.verdicts.ask(kata, self.session.progress.solved(self.session.catalog))
        self.draw()

    def show(self, verdict: Verdict, run: int) -> None:
        """Note a verdict that has come in, and show it, unless another has been asked for since."""
        if run != self.verdicts.run:
            return
        self.running, self.verdict, self.below, self.trouble = False, verdict, None, ""
        self.session.note(self.kata, verdict)
        self.report()
        if verdict.verdict == "passed":
            self.below = self._learned()
        elif self._stuck(verdict):
            self.offered.add(verdict.property)
            self.below = Text("This one is stubborn. A hint may help: press h.", "cyan")
        self.draw()

    def report(self) -> None:
        """Have the room know what the learner is at."""
        if self.room and self.verdict:
            self.room.send(standing(self.session, self.kata, self.verdict, self.room.shown))

    def room_changed(self) -> None:
        """Show how it stands with the room, which is another way than before."""
        if self.interactive:
            self.draw()
        elif self.room:
            warn(self.room.line)

    def fail(self, message: str, run: int) -> None:
        """Say why there is no verdict."""
        if run == self.verdicts.run:
            self.running = False
            self.say(f"{message} {'Press r' if self.interactive else 'Save'} to try again.", "red")

    def raced(self, output: str, run: int) -> None:
        """Show what a race has printed."""
        if run == self.bench.run:
            self.asking = None  # the question goes from the screen
            self.put(Text(output))

    def _learned(self) -> Text:
        lines = [self.kata.takeaway, "", "s compares with the reference, n goes on."]
        if self.session.next is None:
            lines.append(TRAIN)
        elif following := self._neighbour(1):
            lines.append(
                f"n: {following.code} · {following.title}. Its lesson: {self.session.relative(following.lesson)}"
            )
            lines.append(f"Your code goes into {self.session.relative(following.file)}")
        return Text("\n".join(lines).strip(), "green")

    def _stuck(self, verdict: Verdict) -> bool:
        known = verdict.property in self.offered or not self.kata.hints(verdict.step or 1)
        return not known and self.session.progress.tries(self.kata) >= PATIENT

    def press(self, key: str) -> None:
        """Do what a key asks for."""
        if key == INTERRUPT:
            self.ending = Ending(130)
            return None
        if self.asking is not None:
            then, self.asking, self.below = self.asking, None, None
            return then() if key == "y" else self.draw()
        actions: dict[str, Callable[[], None]] = {
            "h": self.hint,
            "n": lambda: self.go(1),
            "p": lambda: self.go(-1),
            "l": lambda: self.put(board(self.session)),
            "s": self.solution,
            "r": lambda: self.judge(self.kata),
            "b": self.race,
            "x": self.reset,
            "t": self.toggle,
            "g": self.graduate,
            "q": self.leave,
        }
        if self.room and self.room.open:
            actions |= {"c": self.share, "v": self.room.leave}
        action = actions.get(key)
        return action() if action else None

    def put(self, what: RenderableType) -> None:
        """Show something below the verdict."""
        self.below = what
        self.draw()

    def say(self, text: str, style: str = "yellow") -> None:
        self.put(Text(text, style)) if self.interactive else warn(text)

    def hint(self) -> None:
        hints, lesson = self.session.take_hint(self.kata), self.session.relative(self.kata.lesson)
        self.report()
        if not hints.taken:
            return self.say(f"There are no hints for step {hints.step}. The lesson: {lesson}")
        more = f"{hints.left} more: h" if hints.left else "That was the last one. s shows the solution."
        return self.put(hint_text(self.kata, hints).append(f"\n\n{more}", "not bold dim"))

    def go(self, by: int) -> None:
        if (kata := self._neighbour(by)) is not None:
            self.below = None
            self.judge(kata)
        else:
            self.say(f"{self.kata.code} is the {'last' if by > 0 else 'first'} one.")

    def _neighbour(self, by: int) -> Kata | None:
        katas = self.session.catalog.katas
        at = katas.index(self.kata) + by
        return katas[at] if 0 <= at < len(katas) else None

    def solution(self) -> None:
        shown = Text(stubs.plain(self.kata))
        if self.session.progress.status(self.kata) == "solved":
            self.put(shown)
        else:
            self.ask("It is no shame to look. Show the solution? y or n", lambda: self.put(shown))

    def reset(self) -> None:
        self.ask("Write the stub anew? Your file is kept as a backup. y or n", self._reset)

    def _reset(self) -> None:
        try:
            kept = self.session.reset(self.kata)
        except OSError as error:
            return self.say(f"Your file could not be kept, so nothing was changed: {error}.")
        self.say(f"Your file is kept as {self.session.relative(kept)}" if kept else "It is the untouched stub.")
        return self.judge(self.kata)

    def toggle(self) -> None:
        self.traceback = not self.traceback
        self.draw()

    def leave(self) -> None:
        self.ending = Ending(0)

    def share(self) -> None:
        """Show the room the learner's file, as it is at each verdict, or hide it again."""
        if not self.room:
            return None
        if self.room.shown:
            self.room.hide()
            return self.say("Your code is hidden.")
        self.room.shown = True
        self.report()
        return self.say("Whoever leads the room can read your file now, until you press c again.")

    def graduate(self) -> None:
        if self.session.next is None:
            self.ending = Ending(0, train=True)
        else:
            self.say(f"{self.session.next.code} is not solved yet; then your GPT can be trained.")

    def race(self) -> None:
        """Race what there is to race of this kata, or end the race that is under way."""
        if self.bench.busy:
            self.bench.stop()
            return self.say("The race was ended.")
        if not self.kata.races.is_file():
            return self.say(f"{self.kata.code} has nothing to race.")
        if self.running:
            return self.say("Wait for the verdict; then b begins the race.")
        solved = self.session.progress.status(self.kata) == "solved"
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
        console.clear()
        console.print(self.screen())

    def screen(self) -> Group:
        """All that is on the screen."""
        room = Text(self.room.line, "dim") if self.room else None
        below = [part for part in (self.below, Text(self.trouble, "yellow"), room) if part]
        parts = [part for shown in (self._verdict(), *below, self._keys()) for part in (shown, Text())]
        return Group(*parts[:-1])

    def _verdict(self) -> Text:
        """The verdict, and where to read of what is not written yet; without a verdict, the title."""
        if self.verdict is None:
            return Text(f"{self.kata.code} · {self.kata.title}", "bold")
        advice = "" if self.interactive else after_verdict(self.verdict, then(self.session, self.kata))
        text = render(self.verdict, self.kata.title, self.traceback, advice)
        if self.verdict.verdict == "not_started":
            text.append(f"\n\nRead the lesson: {self.session.relative(self.kata.lesson)}")
        return text

    def _keys(self) -> Text:
        if self.running:
            return Text(f"Judging {self.session.relative(self.kata.file)} …", "dim")
        return keys_text(self.kata, *((self.room.open, self.room.shown) if self.room else ()))


def _in_background(work: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=work, args=arguments, daemon=True).start()
