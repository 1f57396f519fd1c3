"""k14 checkpointing: what must be true of it."""

import errno
import os
import pickle
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest.mock import patch

import torch
from hypothesis import strategies as st
from torch import nn

from dojo.spec import check, claim, sizes

BANS = []
FILE = "run.pt"
NET = "V D"
RANGES = {"V": (4, 7), "D": (2, 3)}
optimizers = ["AdamW", "SGD", "momentum"]
names = [FILE, "run", "run.v1.2", "weights.banana"]
ways = ["a text", "a Path", "a whole path"]
steps = [1, 0, 2, 250]
PLAIN = {str, bytes, int, list, tuple, dict, set, type, torch.Tensor}  # their methods write no files
HARMLESS = {isinstance, issubclass, len, getattr, hasattr, setattr, id, iter, next, repr, min, max, sorted, callable}
shapes = ["a row more", "turned", "twice", "a column more", "one row, and its optimizer", "turned, and its optimizer"]


# --- A small run to save ---------------------------------------------------------------------------------------


class Net(nn.Module):
    """Something with weights in several places, and two buffers."""

    def __init__(self, rows, width, added=False):
        super().__init__()
        self.table = nn.Embedding(rows, width)
        self.body = nn.Sequential(nn.Linear(width, width), nn.Dropout(0.5))
        if added:
            self.added = nn.Linear(width, width, bias=False)
        self.average = nn.Module()
        self.average.register_buffer("mean", torch.zeros(width))
        self.average.register_buffer("count", torch.tensor(0))


def a_run(size, salt="", kind="AdamW", rate=0.01, shape=None, added=False, dtype=torch.float32, begun=True):
    """A model whose values follow from `size` and `salt`, and an optimizer of two groups that has taken a step."""
    model = Net(*(shape or (size.V, size.D)), added).to(dtype)
    for name, values in model.state_dict().items():
        numbers = torch.randn(values.shape, generator=size.generator(name + salt), dtype=torch.float64)
        values.copy_(numbers if values.is_floating_point() else numbers * 100)
    make, options = {
        "AdamW": (torch.optim.AdamW, {}),
        "SGD": (torch.optim.SGD, {}),
        "momentum": (torch.optim.SGD, {"momentum": 0.9}),
    }[kind]
    table, *rest = model.parameters()
    groups = [{"params": [table], "lr": 3 * rate}, {"params": rest}]
    optimizer = make(groups, lr=rate, weight_decay=rate, **options)  # the rate is not the only setting
    if begun:
        advance(model, optimizer, size, "first" + salt)
    return model, optimizer


def advance(model, optimizer, size, salt, count=1):
    """Take optimizer steps with gradients that follow from `size` and `salt`."""
    for step in range(count):
        for name, parameter in model.named_parameters():
            numbers = torch.randn(parameter.shape, generator=size.generator(f"{name} {salt} {step}"))
            parameter.grad = numbers.to(parameter.dtype)
        optimizer.step()
    optimizer.zero_grad()


def values_of(model):
    return {name: values.clone() for name, values in model.state_dict().items()}


def numbers_of(optimizer):
    state = optimizer.state_dict()["state"]
    tensors = {(index, name): value for index, moments in state.items() for name, value in moments.items()}
    return {f"state {key}": value.clone() for key, value in tensors.items() if torch.is_tensor(value)}


def settings_of(optimizer):
    """The settings of each group, without the parameters; a pair may come back as a list."""
    groups = [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    return [{k: list(v) if isinstance(v, tuple) else v for k, v in group.items()} for group in groups]


def same_values(got, want, when):
    """Demand the same tensors under the same names, to the last bit."""
    check.equal(sorted(got), sorted(want), f"the list of names {when}")
    for name in want:
        check.exactly(got[name], want[name], f"`{name}` {when}")


def same_run(model, optimizer, before, when):
    """Demand that model and optimizer are what they were when `before` was taken."""
    same_values(values_of(model), before[0], when)
    same_values(numbers_of(optimizer), before[1], when)
    check.equal(settings_of(optimizer), before[2], f"the optimizer's settings {when}")


def state_of(model, optimizer):
    return values_of(model), numbers_of(optimizer), settings_of(optimizer)


@contextmanager
def in_a_folder():
    """Work in an empty folder that is gone afterwards. fsync does not wait for the disk: it only looks at its file."""

    def fsync(file):
        os.fstat(file if isinstance(file, int) else file.fileno())

    home = os.getcwd()
    with tempfile.TemporaryDirectory() as folder, patch("os.fsync", fsync):
        os.chdir(folder)
        try:
            yield Path.cwd()
        except Exception as error:
            without_the_folder(error, {folder, os.getcwd()})
            raise
        finally:
            os.chdir(home)


def without_the_folder(error, names):
    """Take the folder, which has another name each time, out of an error's message."""

    def shorter(value):
        for name in names if isinstance(value, str) else ():
            value = value.replace(name + os.sep, "")
        return value

    error.args = tuple(map(shorter, error.args))
    if isinstance(error, OSError):
        error.filename, error.filename2 = shorter(error.filename), shorter(error.filename2)


def spelled(name, way):
    """The path of a file in the working folder, said in one of several ways."""
    return {"a text": name, "a Path": Path(name), "a whole path": str(Path(name).absolute())}[way]


# --- What is under a file's name while a call runs -------------------------------------------------------------


def moments(call):
    """What stood under FILE at every moment of a call: bytes, or None for no file; and what the call raised.

    It is looked up whenever a function of C returns that is no method of a plain value: no other touches a file. A
    process that is killed leaves what stood there at that moment.
    """
    path, seen, marks, error = Path(FILE).absolute(), [], [], None

    def look(frame, event, argument):
        if event != "c_return" or type(getattr(argument, "__self__", None)) in PLAIN or argument in HARMLESS:
            return
        try:
            found = os.stat(path)
            mark = found.st_ino, found.st_size, found.st_mtime_ns
        except OSError:
            mark = None
        if mark not in marks[-1:]:
            marks.append(mark)
            seen.append(mark and path.read_bytes())

    if path.exists():
        os.utime(path, (0, 0))  # whatever is written from now on is seen to be newer
    look(None, "c_return", os.stat)
    before = sys.getprofile()
    sys.setprofile(look)
    try:
        call()
    except NotImplementedError:
        raise
    except Exception as raised:
        error = raised
    finally:
        sys.setprofile(before)
    seen.append(path.read_bytes() if path.exists() else None)
    return seen, error


def told(contents, old, new):
    """The same in words, without repetition."""
    names = {None: "no file", new: "the new file"} | ({} if old is None else {old: "the old file"})
    story = [names.get(content, "a part of a file") for content in contents]
    return [one for one, before in zip(story, [None, *story[:-1]], strict=True) if one != before]


@contextmanager
def a_disk_of_its_own():
    """As if the working folder were a disk: nothing can be renamed into it from outside, or out of it."""
    home = Path.cwd()

    def on_one_disk(real):
        def rename(source, target, **options):
            if Path(source).resolve().is_relative_to(home) != Path(target).resolve().is_relative_to(home):
                raise OSError(errno.EXDEV, "Invalid cross-device link: source and target are on different disks")
            return real(source, target, **options)

        return rename

    changed = {name: on_one_disk(getattr(os, name)) for name in ("rename", "replace", "link")}
    with patch.multiple(os, **changed):
        yield


class Unwritable:
    """Something on which every way of writing fails, as on a full disk."""

    def __reduce__(self):
        raise OSError(errno.ENOSPC, "No space left on device")


class Program:
    """Something that, once pickled, makes the folder "ran" when it is unpickled without care."""

    def __reduce__(self):
        return os.mkdir, ("ran",)

    def __copy__(self):
        return self

    def __deepcopy__(self, known):
        return self


# --- Step 1: saving --------------------------------------------------------------------------------------------


@claim(step=1, examples=4, size=sizes(NET, **RANGES), name=names, way=ways)
def test_the_file_gets_exactly_the_name_it_was_given(kata, size, name, way):
    """save_checkpoint writes its file under exactly the path it is given, with any extension or none."""
    with in_a_folder():
        kata.save_checkpoint(spelled(name, way), *a_run(size), 1)
        found = sorted(path.name for path in Path().iterdir())
        written = Path(name).is_file() and Path(name).stat().st_size > 0
        if not written:
            own = [other for other in found if other.startswith(name)]
            raise check.Mismatch(f"there is no {name} after saving to it", found, [name], alike=own)


@claim(step=1, examples=4, size=sizes(NET, **RANGES), training=[False, True], given=[False, True])
def test_saving_leaves_the_run_alone(kata, size, training, given):
    """Saving changes nothing: not the model, its gradients or its mode, not the optimizer, not the random numbers."""
    model, optimizer = a_run(size)
    model.train(training)
    for values in model.parameters():
        values.grad = torch.ones_like(values)
    generator = size.generator("data")
    before, random, state = state_of(model, optimizer), torch.get_rng_state(), generator.get_state()
    with in_a_folder():
        kata.save_checkpoint(FILE, model, optimizer, 1, generator if given else None)
    same_run(model, optimizer, before, "after saving")
    kept = [values.grad is not None and bool((values.grad == 1).all()) for values in model.parameters()]
    check.equal(kept, [True] * len(kept), "whether each parameter has the gradient that it had before saving")
    check.equal([one.training for one in model.modules()], [training] * 6, "whether each module is in train mode")
    check.equal([one.requires_grad for one in model.parameters()], [True] * len(kept), "whether each can be trained")
    check.exactly(torch.get_rng_state(), random, "the state of torch's random numbers after saving")
    check.exactly(generator.get_state(), state, "the generator's state after saving")


@claim(step=1, examples=4, size=sizes(NET, **RANGES), first=[False, True])
def test_the_file_is_whole_at_every_moment(kata, size, first):
    """At every moment of saving, the old file stands under the name, or the new one, whole; a kill leaves no other."""
    with in_a_folder():
        check.equal(story_of_saving(kata, size, first), whole_story(first), f"what stood under {FILE}, in order")


@claim(step=1, examples=4, size=sizes(NET, **RANGES), away=[False, True])
def test_saving_is_safe_on_a_disk_of_its_own(kata, size, away):
    """Saving works, and is as safe, where the checkpoint's folder is a disk of its own; a rename cannot cross disks."""
    with in_a_folder(), a_disk_of_its_own():
        story = story_of_saving(kata, size, False, from_another_folder if away else lambda save: save)
        check.equal(story, whole_story(False), f"what stood under {FILE}, in order")


def from_another_folder(save):
    """The same, called with a whole path while the working folder is another one, on another disk."""

    def call(path, *run):
        path, home = Path(path).absolute(), Path.cwd()
        with tempfile.TemporaryDirectory() as elsewhere:
            os.chdir(elsewhere)
            try:
                save(path, *run)
            finally:
                os.chdir(home)

    return call


def story_of_saving(kata, size, first, way=lambda save: save):
    model, optimizer = a_run(size)
    save = way(kata.save_checkpoint)
    if not first:
        save(FILE, model, optimizer, 1)
        advance(model, optimizer, size, "next")
    seen, error = moments(lambda: save(FILE, model, optimizer, 2))
    if error is not None:
        raise error
    return told(seen, seen[0], seen[-1])


def whole_story(first):
    return ["no file" if first else "the old file", "the new file"]


@claim(step=1, examples=4, size=sizes(NET, **RANGES), first=[False, True])
def test_a_failure_leaves_the_old_file(kata, size, first):
    """When writing fails, as on a full disk, save_checkpoint raises and the old file stands as it was."""
    with in_a_folder():
        model, optimizer = a_run(size)
        if not first:
            kata.save_checkpoint(FILE, model, optimizer, 1)
        old = None if first else Path(FILE).read_bytes()
        optimizer.param_groups[0]["note"] = Unwritable()
        seen, error = moments(lambda: kata.save_checkpoint(FILE, model, optimizer, 2))
        if error is not None:
            check.equal(told(seen, old, b""), whole_story(first)[:1], f"what stood under {FILE}, in order")
        elif seen[-1] == old:
            raise check.Mismatch("save_checkpoint could not write, and raises nothing", "no error", "an error")


@claim(step=1, examples=4, size=sizes(NET, **RANGES), first=[False, True])
def test_a_failure_leaves_no_part_of_a_file(kata, size, first):
    """When writing fails, as on a full disk, no file stays in the folder that was not there before."""
    with in_a_folder():
        model, optimizer = a_run(size)
        if not first:
            kata.save_checkpoint(FILE, model, optimizer, 1)
        before = sorted(path.name for path in Path().iterdir())
        optimizer.param_groups[0]["note"] = Unwritable()
        with suppress(OSError, RuntimeError, TypeError, ValueError, pickle.PickleError):
            kata.save_checkpoint(FILE, model, optimizer, 2)
        check.equal(len(list(Path().iterdir())), len(before), "the number of files in the folder, after the failure")


# --- Step 2: what cannot be read -------------------------------------------------------------------------------


@claim(step=2)
def test_the_error_is_a_type_of_its_own(kata):
    """CheckpointError is an exception of its own, so that it can be caught without catching others."""
    kind = kata.CheckpointError
    check.equal(isinstance(kind, type) and issubclass(kind, Exception), True, "whether CheckpointError is an exception")
    check.equal(kind.__module__ == "builtins", False, "whether CheckpointError is one of Python's own")


@claim(step=2, examples=4, size=sizes(NET, **RANGES), resume=[False, True])
def test_a_missing_file_is_refused(kata, size, resume):
    """Where there is no file, load_checkpoint raises CheckpointError, with the file's name, and changes nothing."""
    with in_a_folder():
        refused_untouched(kata, *a_run(size), resume, "a path without a file")


damages = {
    "an empty file": lambda data: b"",
    "half a file": lambda data: data[: len(data) // 2],
    "a file without its last tenth": lambda data: data[: len(data) * 9 // 10],
    "the first byte of a file": lambda data: data[:1],
    "a text file": lambda data: b"Shall I compare thee to a summer's day?\n",
    "a file of zeros": lambda data: bytes(len(data)),
}


@claim(step=2, examples=7, size=sizes(NET, **RANGES), damage=list(damages), resume=[False, True])
def test_a_damaged_file_is_refused(kata, size, damage, resume):
    """A file that is empty, cut short or no checkpoint raises CheckpointError, with its name, and changes nothing."""
    with in_a_folder():
        kata.save_checkpoint(FILE, *a_run(size), 1)
        Path(FILE).write_bytes(damages[damage](Path(FILE).read_bytes()))
        refused_untouched(kata, *a_run(size, "other"), resume, damage)


pickles = {
    "a pickle": lambda: Path(FILE).write_bytes(pickle.dumps(Program(), protocol=2)),
    "a pickle of a dict": lambda: Path(FILE).write_bytes(pickle.dumps({"model": Program()}, protocol=2)),
    "a file of torch": lambda: torch.save({"step": 1, "model": Program()}, FILE),
    "an old file of torch": lambda: torch.save(Program(), FILE, _use_new_zipfile_serialization=False),
}


@claim(step=2, examples=6, size=sizes(NET, **RANGES), kind=list(pickles), resume=[False, True])
def test_a_program_in_a_pickle_is_refused_and_not_run(kata, size, kind, resume):
    """A pickle that would run code raises CheckpointError, with the file's name; nothing is run, nothing changed."""
    with in_a_folder():
        pickles[kind]()
        model, optimizer = a_run(size)
        with suppress(Exception):
            kata.load_checkpoint(FILE, model, optimizer if resume else None)
        check.equal(Path("ran").exists(), False, f"whether the program in {kind} was run")
        refused_untouched(kata, model, optimizer, resume, f"{kind} with a program in it")


@claim(step=2, examples=2, size=sizes(NET, **RANGES))
def test_a_program_inside_a_checkpoint_is_not_run(kata, size):
    """A program that was smuggled into a checkpoint of your own kind is not run either."""
    with in_a_folder():
        model, optimizer = a_run(size)
        optimizer.param_groups[0]["note"] = Program()
        with suppress(TypeError, ValueError, AttributeError, pickle.PickleError, RuntimeError):
            kata.save_checkpoint(FILE, model, optimizer, 1)
        if Path("ran").exists():
            Path("ran").rmdir()
        with suppress(kata.CheckpointError):
            kata.load_checkpoint(FILE, *a_run(size, "other"))
        check.equal(Path("ran").exists(), False, "whether the program in the checkpoint was run")


def refused_untouched(kata, model, optimizer, resume, what, key=None):
    """Demand CheckpointError, with the file's name (and the key, where only the model can be at fault); no change."""
    before = state_of(model, optimizer)
    mentions = [FILE] if key is None or resume else [FILE, key]
    load = lambda: kata.load_checkpoint(FILE, model, optimizer if resume else None)
    check.raises(kata.CheckpointError, load, mentions, what)
    same_run(model, optimizer, before, "after the file was refused")


# --- Step 3: what does not fit ---------------------------------------------------------------------------------


strangers = {
    "a file that holds an empty dict": lambda model: {},
    "a file that holds a list": lambda model: [1, 2, 3],
    "a file that holds a number": lambda model: 7,
    "a file that holds a text": lambda model: "checkpoint",
    "a file that holds None": lambda model: None,
    "a file that holds the weights alone": lambda model: model.state_dict(),
}


@claim(step=3, examples=7, size=sizes(NET, **RANGES), stranger=list(strangers), resume=[False, True])
def test_a_file_that_is_no_checkpoint_is_refused(kata, size, stranger, resume):
    """A file of torch that holds something else raises CheckpointError, with its name, and changes nothing."""
    with in_a_folder():
        torch.save(strangers[stranger](a_run(size)[0]), FILE)
        refused_untouched(kata, *a_run(size, "other"), resume, stranger)


@claim(step=3, examples=4, size=sizes(NET, **RANGES), resume=[False, True])
def test_a_missing_key_is_refused(kata, size, resume):
    """Where the file lacks a weight of the model, CheckpointError names the file and the key; nothing is changed."""
    with in_a_folder():
        kata.save_checkpoint(FILE, *a_run(size), 1)
        model, optimizer = a_run(size, "other", added=True)
        refused_untouched(kata, model, optimizer, resume, "a file without added.weight", key="added.weight")


@claim(step=3, examples=4, size=sizes(NET, **RANGES), resume=[False, True])
def test_an_extra_key_is_refused(kata, size, resume):
    """Where the file has a weight too many, CheckpointError names the file and the key; nothing is changed."""
    with in_a_folder():
        kata.save_checkpoint(FILE, *a_run(size, added=True), 1)
        model, optimizer = a_run(size, "other")
        refused_untouched(kata, model, optimizer, resume, "a file with added.weight", key="added.weight")


@claim(step=3, examples=4, size=sizes(NET, **RANGES), resume=[False, True])
def test_a_weight_of_another_name_is_refused(kata, size, resume):
    """A file with as many weights, of the same shapes, but one under another name, raises CheckpointError."""
    with in_a_folder():
        theirs, optimizer = a_run(size, added=True)
        theirs.extra = theirs.added
        del theirs.added
        kata.save_checkpoint(FILE, theirs, optimizer, 1)
        model, optimizer = a_run(size, "other", added=True)
        key = ("added.weight", "extra.weight")
        refused_untouched(kata, model, optimizer, resume, "a file with extra.weight for added.weight", key=key)


@claim(step=3, examples=6, size=sizes(NET, **RANGES), other=shapes)
def test_a_wrong_shape_is_refused(kata, size, other):
    """A weight of another shape raises CheckpointError, with the file and the key; nothing is changed."""
    V, D = size.V, size.D
    how, *resume = other.split(",")
    table = {"a row more": (V + 1, D), "one row": (1, D), "twice": (2 * V, D)}
    shape = (table | {"turned": (D, V), "a column more": (V, D + 1)})[how]
    theirs, optimizer = a_run(size, shape=table.get(how))
    if how not in table:
        theirs.table = nn.Embedding(*shape)
        optimizer = torch.optim.AdamW(theirs.parameters())
    with in_a_folder():
        kata.save_checkpoint(FILE, theirs, optimizer, 1)
        what = f"a table.weight of shape {shape}, where the model has {(V, D)},"
        refused_untouched(kata, *a_run(size, "other"), bool(resume), what, key="table.weight")


@claim(step=3, examples=4, size=sizes(NET, **RANGES), fewer=[False, True])
def test_an_optimizer_that_does_not_fit_is_refused(kata, size, fewer):
    """Where the optimizer has other groups or parameters than the file, CheckpointError comes before any change."""
    with in_a_folder():
        kata.save_checkpoint(FILE, *a_run(size), 1)
        model, _ = a_run(size, "other")
        table, *rest = model.parameters()
        optimizer = torch.optim.AdamW([{"params": [table]}, {"params": rest[:1]}] if fewer else [table, *rest])
        refused_untouched(kata, model, optimizer, True, "an optimizer of other groups")


# --- Step 4: what comes back -----------------------------------------------------------------------------------


def load_own(kata, path, model, optimizer):
    """Load what was just saved. Of a refusal, the evidence is which parts of a run its message names."""
    try:
        return kata.load_checkpoint(path, model, optimizer)
    except kata.CheckpointError as error:
        parts = (*model.state_dict(), "model", "optimizer", "step", "random", "generator")
        got, named = f"{type(error).__name__}: {error}", [part for part in parts if part in str(error)]
        raise check.Mismatch("a run is refused by its own checkpoint", got, "no error", alike=named) from error


@claim(step=4, examples=4, name=names, way=ways, saved=steps, resume=[False, True])
def test_the_step_comes_back(kata, name, way, saved, resume):
    """load_checkpoint returns the step that was saved, as an int."""
    model = nn.Linear(1, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    with in_a_folder():
        path = spelled(name, way)
        kata.save_checkpoint(path, model, optimizer, saved)
        got = load_own(kata, path, model, optimizer if resume else None)
    if got is not None and type(got) is not int:
        kind = type(got).__name__
        raise check.Mismatch(f"what comes back is of type {kind}, not an int", got, saved, alike=kind)
    check.equal(got, saved, f"the step, saved at step {saved},")


@claim(
    step=4,
    examples=4,
    size=sizes(NET, **RANGES),
    dtype=[torch.float32, torch.float64, torch.bfloat16],
    same=[False, True],
    resume=[False, True],
)
def test_weights_and_buffers_come_back(kata, size, dtype, same, resume):
    """Loading brings back every weight and buffer to the last bit, into the model that was saved or a new one."""
    model, optimizer = a_run(size, dtype=dtype)
    want = values_of(model)
    with in_a_folder():
        kata.save_checkpoint(FILE, model, optimizer, 1)
        if not same:
            model, optimizer = a_run(size, "other", dtype=dtype)
        for values in model.state_dict().values():
            values.add_(1)
        load_own(kata, FILE, model, optimizer if resume else None)
    same_values(values_of(model), want, "after loading")
    trained = [values.requires_grad for values in model.parameters()]
    check.equal(trained, [True] * len(trained), "whether each parameter can be trained, after loading")


wrappings = {
    "with one weight in two places": None,
    "with a child called module": "module",
    "as torch.compile wraps it": "_orig_mod",
    "in a DataParallel": nn.DataParallel,
    "with a child called optimizer": "optimizer",
}


@claim(step=4, examples=5, size=sizes(NET, **RANGES), way=list(wrappings), resume=[True, False])
def test_any_model_comes_back(kata, size, way, resume):
    """Weights come back whatever the model is: tied, wrapped, or with children called as you call your own things."""
    model, optimizer = wrapped(size, "", way)
    with in_a_folder():
        kata.save_checkpoint(FILE, model, optimizer, 1)
        want = values_of(model)
        model, optimizer = wrapped(size, "other", way)
        try:
            kata.load_checkpoint(FILE, model, optimizer if resume else None)
        except kata.CheckpointError as error:
            problem = f"a model, {way}, is refused by its own checkpoint"
            raise check.Mismatch(problem, f"{type(error).__name__}: {error}", "no error", alike="an error") from error
    same_values(values_of(model), want, "after loading")


def wrapped(size, salt, way):
    """A run as `a_run` makes it, whose model is put into another."""
    model, optimizer = a_run(size, salt)
    how = wrappings[way]
    if how is None:
        model.head = nn.Linear(size.D, size.V, bias=False)
        model.head.weight = model.table.weight
        return model, optimizer
    if isinstance(how, str):
        outer = nn.Module()
        setattr(outer, how, model)
        return outer, optimizer
    return how(model), optimizer


@claim(step=4, examples=4, size=sizes(NET, **RANGES), resume=[True, False])
def test_the_newest_file_comes_back(kata, size, resume):
    """A path that is saved to and loaded from again and again gives, each time, what was saved last."""
    with in_a_folder():
        model, optimizer = a_run(size)
        for number in (1, 2, 3):
            kata.save_checkpoint(FILE, model, optimizer, number)
            want = values_of(model)
            advance(model, optimizer, size, f"away {number}")
            step = kata.load_checkpoint(FILE, model, optimizer if resume else None)
            check.equal(step, number, f"the step of save number {number}")
            same_values(values_of(model), want, f"of save number {number}")
            advance(model, optimizer, size, f"on {number}")


@claim(step=4, examples=4, size=sizes(NET, **RANGES), kind=optimizers)
def test_a_fresh_optimizer_takes_up_the_run(kata, size, kind):
    """Loading into a model and an optimizer that have taken no step, the run goes on as if it had never stopped."""
    model, optimizer = a_run(size, kind=kind)
    with in_a_folder():
        kata.save_checkpoint(FILE, model, optimizer, 7)  # not the count that the optimizer keeps
        advance(model, optimizer, size, "next", 2)
        want = values_of(model)
        model, optimizer = a_run(size, "other", kind=kind, rate=0.05, begun=False)
        kata.load_checkpoint(FILE, model, optimizer)
    advance(model, optimizer, size, "next", 2)
    same_values(values_of(model), want, "two steps after loading")


@claim(step=4, examples=4, size=sizes(NET, **RANGES), kind=optimizers, same=[False, True])
def test_training_goes_on_as_if_it_had_never_stopped(kata, size, kind, same):
    """After loading, each optimizer step gives the weights that it gives in a run that never stopped."""
    model, optimizer = a_run(size, kind=kind)
    with in_a_folder():
        kata.save_checkpoint(FILE, model, optimizer, 7)  # not the count that the optimizer keeps
        advance(model, optimizer, size, "next", 2)
        want = values_of(model)
        if not same:
            model, optimizer = a_run(size, "other", kind=kind, rate=0.05)
        kata.load_checkpoint(FILE, model, optimizer)
    advance(model, optimizer, size, "next", 2)
    same_values(values_of(model), want, "two steps after loading")


@claim(step=4, examples=4, size=sizes(NET, **RANGES), kind=optimizers)
def test_an_optimizer_without_steps_comes_back(kata, size, kind):
    """A checkpoint from before the first step brings back an optimizer that has taken none."""
    model, _ = a_run(size, kind=kind)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    with in_a_folder():
        kata.save_checkpoint(FILE, model, optimizer, 0)
        fresh = torch.optim.AdamW(model.parameters(), lr=0.05)
        kata.load_checkpoint(FILE, model, fresh)
        check.equal(sorted(numbers_of(fresh)), [], "what the optimizer keeps after loading")
        advance(model, optimizer, size, "next", 2)
        with suppress(kata.CheckpointError):  # whether an optimizer that has taken steps is a right place is not said
            kata.load_checkpoint(FILE, model, optimizer)
            check.equal(sorted(numbers_of(optimizer)), [], "what the optimizer keeps after loading")


@claim(step=4, examples=4, size=sizes(NET, **RANGES), kind=optimizers)
def test_settings_come_back_with_the_optimizer(kata, size, kind):
    """Loading brings back the optimizer's settings, such as the learning rate of each group."""
    model, optimizer = a_run(size, kind=kind)
    want = settings_of(optimizer)
    with in_a_folder():
        kata.save_checkpoint(FILE, model, optimizer, 1)
        model, optimizer = a_run(size, "other", kind=kind, rate=0.05)
        kata.load_checkpoint(FILE, model, optimizer)
    rates = [group["lr"] for group in optimizer.param_groups]
    check.equal(rates, [group["lr"] for group in want], "the learning rates after loading")
    check.equal(settings_of(optimizer), want, "the settings after loading")


@claim(step=4, examples=4, size=sizes(NET, **RANGES), drawn=[2, 0, 5, 1], given=[False, True])
def test_random_numbers_go_on_where_they_were(kata, size, drawn, given):
    """After loading with the optimizer, torch draws the random numbers that it would have drawn after saving."""
    model, optimizer = a_run(size)
    torch.manual_seed(size.seed)
    torch.rand(drawn)
    with in_a_folder():
        kata.save_checkpoint(FILE, model, optimizer, 1, size.generator() if given else None)
        want = torch.rand(4)
        torch.manual_seed(size.seed + 1)
        kata.load_checkpoint(FILE, model, optimizer, size.generator("new") if given else None)
    check.exactly(torch.rand(4), want, "torch's next random numbers")


@claim(step=4, examples=4, size=sizes(NET, **RANGES), drawn=st.integers(1, 5), resume=[True, False])
def test_the_generator_goes_on_where_it_was(kata, size, drawn, resume):
    """After loading, the generator draws the numbers that the saved one would have drawn next."""
    model, optimizer = a_run(size)
    saved, other = size.generator("data"), size.generator("new")
    torch.rand(drawn, generator=saved)
    with in_a_folder():
        kata.save_checkpoint(FILE, model, optimizer, 1, saved)
        want = torch.rand(4, generator=saved)
        kata.load_checkpoint(FILE, model, optimizer if resume else None, other)
    check.exactly(torch.rand(4, generator=other), want, "the generator's next numbers")


@claim(step=4, examples=4, size=sizes(NET, **RANGES), resume=[False, True])
def test_a_saved_generator_may_be_left_out(kata, size, resume):
    """A checkpoint that was saved with a generator can be loaded without one."""
    model, optimizer = a_run(size)
    want = values_of(model)
    with in_a_folder():
        kata.save_checkpoint(FILE, model, optimizer, 1, size.generator("data"))
        model, optimizer = a_run(size, "other")
        check.equal(kata.load_checkpoint(FILE, model, optimizer if resume else None), 1, "the step")
    same_values(values_of(model), want, "after loading")


@claim(step=4, examples=4, size=sizes(NET, **RANGES), resume=[False, True])
def test_a_generator_that_was_not_saved_is_refused_or_ignored(kata, size, resume):
    """Loading with a generator where none was saved raises CheckpointError, or loads the rest; the generator stays."""
    saved = values_of(a_run(size)[0])
    model, optimizer = a_run(size, "other")
    generator, before = size.generator("new"), values_of(model)
    state = generator.get_state()
    with in_a_folder():
        kata.save_checkpoint(FILE, *a_run(size), 1)
        try:
            kata.load_checkpoint(FILE, model, optimizer if resume else None, generator)
            want = saved
        except kata.CheckpointError:
            want = before
    same_values(values_of(model), want, "after loading")
    check.exactly(generator.get_state(), state, "the generator's state")


@claim(step=4, examples=4, size=sizes(NET, **RANGES), training=[False, True], resume=[False, True])
def test_loading_leaves_the_mode_alone(kata, size, training, resume):
    """After loading, the model is in train mode if it was before, and in eval mode if it was before."""
    model, optimizer = a_run(size)
    with in_a_folder():
        kata.save_checkpoint(FILE, model.train(not training), optimizer, 1)
        kata.load_checkpoint(FILE, model.train(training), optimizer if resume else None)
    check.equal([one.training for one in model.modules()], [training] * 6, "whether each module is in train mode")


@claim(step=4, examples=4, size=sizes(NET, **RANGES))
def test_loading_leaves_the_file_alone(kata, size):
    """Loading does not change the file: it can be loaded again."""
    with in_a_folder():
        model, optimizer = a_run(size)
        kata.save_checkpoint(path=FILE, model=model, optimizer=optimizer, step=1, generator=size.generator())
        before = Path(FILE).read_bytes()
        options = {"generator": size.generator("new"), "map_location": "cpu"}
        kata.load_checkpoint(path=FILE, model=model, optimizer=optimizer, **options)
        check.equal(Path(FILE).is_file() and Path(FILE).read_bytes() == before, True, f"whether {FILE} is as it was")


@claim(step=4, examples=4, size=sizes(NET, **RANGES), where=[None, "cpu", torch.device("cpu")])
def test_a_file_from_a_gpu_loads_on_the_cpu(kata, size, where):
    """A checkpoint from a GPU loads on a machine that has none: its tensors go to `map_location`, by default "cpu"."""
    model, optimizer = a_run(size)
    want = values_of(model)
    options = {} if where is None else {"map_location": where}
    with in_a_folder():
        with patch("torch.serialization.location_tag", lambda storage: "cuda:0"):
            kata.save_checkpoint(FILE, model, optimizer, 1)
        model, optimizer = a_run(size, "other")
        try:
            kata.load_checkpoint(FILE, model, optimizer, **options)
        except NotImplementedError:
            raise
        except (RuntimeError, kata.CheckpointError) as error:
            got = f"{type(error).__name__}: {error}"
            problem = "a checkpoint from a GPU cannot be loaded on the CPU"
            raise check.Mismatch(problem, got, "no error", alike="an error") from error
    same_values(values_of(model), want, "after loading")


@claim(step=4, examples=4, size=sizes(NET, **RANGES), wide=[False, True])
def test_another_dtype_is_converted_or_refused(kata, size, wide):
    """A file of another dtype is refused, or its numbers are converted: the model keeps the dtype that it has."""
    mine, theirs = (torch.float32, torch.float64) if wide else (torch.float64, torch.float32)
    model, optimizer = a_run(size, "other", dtype=mine)
    want = values_of(model)
    with in_a_folder():
        kata.save_checkpoint(FILE, *a_run(size, dtype=theirs), 1)
        with suppress(kata.CheckpointError):
            kata.load_checkpoint(FILE, model, optimizer)
            saved = values_of(a_run(size, dtype=theirs)[0])
            want = {name: values.to(want[name].dtype) for name, values in saved.items()}
    same_values(values_of(model), want, "after loading")


# --- Step 4: the whole of it -----------------------------------------------------------------------------------


NEW = dict.fromkeys(
    ("layout", "dtype", "earlier", "arguments"), "the new process calls by itself, with torch's own default dtype"
)


@claim(step=4, slow=True, seconds=30.0, without=NEW)
def test_a_run_goes_on_in_a_new_process(kata):
    """Training 2n steps equals n steps, saving, loading in a new process, and n steps: to the last bit, dropout on."""
    model, optimizer, batches = beginning(1)
    go(model, optimizer, batches, 3)
    with in_a_folder() as folder:
        kata.save_checkpoint(FILE, model, optimizer, 3, batches)
        want = go(model, optimizer, batches, 3)
        path = str(folder / FILE)
        check.exactly(go_on(kata, path, 3), want, "the weights, after loading in this process")
        got = kata.in_clean_process(go_on, path, 3, needs=[beginning, go])
        check.exactly(got, want, "the weights, after loading in a new process")


def beginning(seed):
    """A run about to begin: a model with dropout, AdamW, and the generator that draws the batches."""
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Dropout(0.5), torch.nn.Linear(6, 4))
    return model, torch.optim.AdamW(model.parameters(), lr=0.1), torch.Generator().manual_seed(seed)


def go(model, optimizer, batches, steps):
    """Train for some steps and return all weights in a row."""
    for _ in range(steps):
        x = torch.randn(5, 4, generator=batches)
        loss = (model(x) - x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def go_on(kata, path, steps):
    """Begin another run, load the checkpoint into it and train."""
    model, optimizer, batches = beginning(2)
    kata.load_checkpoint(path, model, optimizer, batches)
    return go(model, optimizer, batches, steps)
