"""k14: what people get wrong about checkpoints."""

from dojo.spec import mistake, swap

# Step 1
TEMPORARY = 'temporary = path.with_name(path.name + ".tmp")  # same folder: within one disk a rename is a single act'
RENAME = "        os.replace(temporary, path)\n    finally:\n        temporary.unlink(missing_ok=True)"
PATH = "    path = Path(path)\n"
MODEL = '"model": model.state_dict(),\n        "optimizer"'
MOMENTS = '"optimizer": optimizer.state_dict(),'
CPU_RANDOM = '"cpu_random": torch.get_rng_state(),  # dropout draws from here'
WRITE_STATE = "write_atomically(path, state)\n"
# Step 2
READ = "return torch.load(path, map_location=map_location, weights_only=True)"
MISSING = 'raise CheckpointError(f"{path}: there is no such file") from None'
UNREADABLE = """    except Exception as error:  # a damaged file makes torch.load raise nearly anything
        reason = "it is empty, cut short, no checkpoint, or holds more than tensors and plain values"
        raise CheckpointError(f"{path}: cannot be read: {reason}") from error"""
# Step 3
KEY_MISSING = 'raise CheckpointError(f"{path}: {name}.{key} is missing")'
KEY_EXTRA = 'raise CheckpointError(f"{path}: {name}.{key} is in the file and has no place here")'
SHAPE = 'raise CheckpointError(f"{path}: {name} is {found} in the file and {needed} here")'
FOUND = "tuple(x.shape) if torch.is_tensor(x)"
MODEL_FITS = 'check_same(path, "checkpoint", state, dict.fromkeys(keys) | {"model": model.state_dict()})'
CHECK = "    check_fits(path, state, model, optimizer, generator)\n"
# Step 4
LOAD_MODEL = '    model.load_state_dict(state["model"])\n'
LOAD_OPTIMIZER = 'optimizer.load_state_dict(state["optimizer"])\n'
LOAD_RANDOM = 'torch.set_rng_state(state["cpu_random"].cpu())\n'
LOAD_GENERATOR = 'generator.set_state(state["generator"].cpu())'
STEP_BACK = 'return state["step"]'
ERROR = 'class CheckpointError(Exception):\n    """A checkpoint that cannot be loaded; the message names the file and, where there is one, the key."""'
WRITE = "            torch.save(state, file)\n"
READING = "    state = read_checkpoint(path, map_location)\n"
OPTIMIZER_FITS = '        own = optimizer.state_dict() | {"state": None}  # a fresh one has no moments yet to compare with\n        check_same(path, "optimizer", state["optimizer"], own)\n'
WITH_OPTIMIZER = "    if optimizer is not None:\n        " + LOAD_OPTIMIZER
SAVE_GENERATOR = "None if generator is None else generator.get_state(),"
STEP_FITS = 'if not isinstance(state["step"], int):'
SAVE_STEP = '        "step": step,\n'

MISTAKES = [
    # Step 1: saving
    mistake(
        "the old file is overwritten",
        swap(TEMPORARY, "temporary = path"),
        swap(RENAME, "    finally:\n        pass"),
        caught_by="test_the_file_is_whole_at_every_moment",
        explanation="""The new checkpoint is written over the old one, and opening a file for writing empties it. A
        process that is killed in between leaves neither.""",
    ),
    mistake(
        "the old file is deleted first",
        swap(
            "        os.replace(temporary, path)\n",
            "        path.unlink(missing_ok=True)\n        os.rename(temporary, path)\n",
        ),
        caught_by="test_the_file_is_whole_at_every_moment",
        explanation="""The old file is removed before the new one gets its name. A process that is killed in between
        leaves no file under that name.""",
    ),
    mistake(
        "the new file arrives piece by piece",
        swap("        os.replace(temporary, path)\n", "        path.write_bytes(temporary.read_bytes())\n"),
        caught_by="test_the_file_is_whole_at_every_moment",
        explanation="""The new contents come under the final name bit by bit: they are copied there, or the temporary file
        is renamed before it is closed. Until the last bit has arrived there is half a file under that name.""",
    ),
    mistake(
        "the temporary file is on another disk",
        swap("import os\n", "import os\nimport tempfile\n"),
        swap(TEMPORARY, 'temporary = Path(tempfile.gettempdir(), f"{path.name}.{os.getpid()}.tmp")'),
        caught_by="test_saving_is_safe_on_a_disk_of_its_own",
        explanation="""The temporary file stands in the system's folder for such files, which may be on another disk
        than the checkpoint. Nothing can be renamed from one disk to another.""",
    ),
    mistake(
        "moved from another disk",
        swap("import os\n", "import os\nimport shutil\nimport tempfile\n"),
        swap(TEMPORARY, 'temporary = Path(tempfile.gettempdir(), f"{path.name}.{os.getpid()}.tmp")'),
        swap("os.replace(temporary, path)", "shutil.move(temporary, path)"),
        caught_by="test_saving_is_safe_on_a_disk_of_its_own",
        explanation="""The temporary file stands in the system's folder for such files and is moved from there. Between
        two disks a move is a copy, which takes time and can be cut off half-way.""",
    ),
    mistake(
        "the temporary file is in the working folder",
        swap(TEMPORARY, 'temporary = Path(path.name + ".tmp")'),
        caught_by="test_saving_is_safe_on_a_disk_of_its_own",
        explanation="""The temporary file stands where the program was started, not beside the checkpoint. The two may be on
        different disks, and nothing can be renamed from one to another.""",
    ),
    mistake(
        "renamed after a failure too",
        swap(RENAME, "    finally:\n        os.replace(temporary, path)"),
        caught_by="test_a_failure_leaves_the_old_file",
        explanation="""The temporary file takes the old one's place whether it could be written or not. On a full disk
        half a file replaces a good one.""",
    ),
    mistake(
        "a failure is swallowed",
        swap("    finally:\n        temporary.unlink", "    except Exception:\n        temporary.unlink"),
        caught_by="test_a_failure_leaves_the_old_file",
        explanation="""An error while writing is caught and nobody hears of it. The run goes on for days in the belief that
        it has been saved.""",
    ),
    mistake(
        "an extension is put on",
        swap(PATH, '    path = Path(path).with_suffix(".pt")\n'),
        caught_by="test_the_file_gets_exactly_the_name_it_was_given",
        explanation="""The file is written under another name than the one asked for. The extension is a convention, and
        whoever gave the path will look for it there.""",
    ),
    mistake(
        "the path has to be a Path",
        swap(PATH, ""),
        caught_by="test_the_file_gets_exactly_the_name_it_was_given",
        explanation="""The code uses what only a `Path` has, such as `.name` or `.parent`. A path may also be an ordinary
        text.""",
    ),
    mistake(
        "saving clears the gradients",
        swap("    write_atomically(path, state)", "    optimizer.zero_grad()\n    write_atomically(path, state)"),
        caught_by="test_saving_leaves_the_run_alone",
        explanation="""Saving throws the gradients away. A run that saves between `backward` and `step` then takes another step
        than one that does not.""",
    ),
    mistake(
        "saving switches to eval mode",
        swap(WRITE_STATE, "model.eval()\n    write_atomically(path, state)\n"),
        caught_by="test_saving_leaves_the_run_alone",
        explanation="""The model is put into eval mode and left there. The run that goes on after saving trains
        without dropout.""",
    ),
    mistake(
        "saving seeds the random numbers",
        swap(WRITE_STATE, "torch.manual_seed(step)\n    write_atomically(path, state)\n"),
        caught_by="test_saving_leaves_the_run_alone",
        explanation="""torch's random numbers are seeded anew while saving. A run that saves is then another run than one
        that does not.""",
    ),
    mistake(
        "saving halves the model's precision",
        swap(MODEL, '"model": model.half().state_dict(),\n        "optimizer"'),
        caught_by="test_saving_leaves_the_run_alone",
        explanation="""A method such as `model.half()` changes the model itself and returns it. The run that goes on after
        saving has lost digits for good.""",
    ),
    mistake(
        "an extension is put behind the name",
        swap(PATH, '    path = Path(f"{path}.pt")\n'),
        caught_by="test_the_file_gets_exactly_the_name_it_was_given",
        explanation="""The file's name gets an extension more than the one asked for. Whoever gave the path will look
        for it under that.""",
    ),
    mistake(
        "the extension is cut off",
        swap(PATH, '    path = Path(path).with_suffix("")\n'),
        caught_by="test_the_file_gets_exactly_the_name_it_was_given",
        explanation="""What stands behind the last point of the name is left out. The extension is a convention, and
        belongs to the name that was given.""",
    ),
    mistake(
        "the step is put into the name",
        swap(WRITE_STATE, 'write_atomically(f"{path}.{step}", state)\n'),
        caught_by="test_the_file_gets_exactly_the_name_it_was_given",
        explanation="""Each save writes to a name of its own. The path that was given is where the newest file is looked
        for.""",
    ),
    mistake(
        "the temporary name stays",
        swap(RENAME, "    finally:\n        pass"),
        caught_by="test_the_file_gets_exactly_the_name_it_was_given",
        explanation="""The file is written beside the old one and never renamed. Under the name that was given stands
        the old one, or none.""",
    ),
    mistake(
        "the temporary file is gone before it is renamed",
        swap(
            "        os.replace(temporary, path)\n", "        temporary.unlink()\n        os.replace(temporary, path)\n"
        ),
        caught_by="test_the_file_gets_exactly_the_name_it_was_given",
        explanation="""The new file is deleted, and then something is renamed that is not there. To rename it is what
        takes the temporary name away.""",
    ),
    mistake(
        "renamed the wrong way round",
        swap("os.replace(temporary, path)", "os.replace(path, temporary)"),
        caught_by="test_the_file_gets_exactly_the_name_it_was_given",
        explanation="""The old file gets the temporary name. It is the new one that has to get the final name.""",
    ),
    mistake(
        "the path comes last",
        swap(
            "def save_checkpoint(\n    path: str | os.PathLike,\n    model: nn.Module,\n    optimizer: torch.optim.Optimizer,\n    step: int,\n",
            "def save_checkpoint(\n    model: nn.Module,\n    optimizer: torch.optim.Optimizer,\n    step: int,\n    path: str | os.PathLike,\n",
        ),
        caught_by="test_the_file_gets_exactly_the_name_it_was_given",
        explanation="""The arguments of save_checkpoint stand in another order than in the signature that was given.
        Whoever calls by place hands the path in as the model.""",
    ),
    mistake(
        "an empty file holds the place",
        swap(
            PATH,
            PATH + "    if path.exists():\n        path.rename(path.with_name(path.name + '.old'))\n    path.touch()\n",
        ),
        caught_by="test_the_file_is_whole_at_every_moment",
        explanation="""An empty file is put under the name before anything is written. Until the new one takes its place
        there is no checkpoint at all.""",
    ),
    mistake(
        "the folder in the path is ignored",
        swap(PATH, "    path = Path(Path(path).name)\n"),
        caught_by="test_saving_is_safe_on_a_disk_of_its_own",
        explanation="""Only the last part of the path is used, and the file is written to where the program was started.
        The folder belongs to the path.""",
    ),
    mistake(
        "an old file is never replaced",
        swap(PATH, PATH + "    if path.exists():\n        return\n"),
        caught_by="test_the_file_is_whole_at_every_moment",
        explanation="""Where a file stands under the name already, nothing is written. The second save of a run is lost,
        and all after it.""",
    ),
    mistake(
        "a link where a name is taken",
        swap("os.replace(temporary, path)", "os.link(temporary, path)"),
        caught_by="test_the_file_is_whole_at_every_moment",
        explanation="""A link cannot take a name that is in use, so only the first save works. A rename takes the name
        over from the old file.""",
    ),
    mistake(
        "a failure deletes the old file",
        swap(
            "    finally:\n        temporary.unlink(missing_ok=True)",
            "    except Exception:\n        path.unlink(missing_ok=True)\n        raise\n    finally:\n        temporary.unlink(missing_ok=True)",
        ),
        caught_by="test_a_failure_leaves_the_old_file",
        explanation="""When writing fails, what stands under the final name is removed. That is the old checkpoint,
        which is still good; what failed has the temporary name.""",
    ),
    mistake(
        "the half file stays",
        swap(RENAME, "        os.replace(temporary, path)\n    finally:\n        pass"),
        caught_by="test_a_failure_leaves_no_part_of_a_file",
        explanation="""After a failure the temporary file is left in the folder. On a full disk it is what keeps the
        disk full.""",
    ),
    mistake(
        "saving switches to train mode",
        swap(WRITE_STATE, "model.train()\n    write_atomically(path, state)\n"),
        caught_by="test_saving_leaves_the_run_alone",
        explanation="""The model is put into train mode and left there. Whoever was using it gets dropout in every
        answer from then on.""",
    ),
    mistake(
        "saving doubles the model's precision",
        swap(MODEL, '"model": model.double().state_dict(),\n        "optimizer"'),
        caught_by="test_saving_leaves_the_run_alone",
        explanation="""A method such as `model.double()` changes the model itself and returns it. The run that goes on
        after saving has parameters of another dtype.""",
    ),
    mistake(
        "saving takes a step",
        swap(WRITE_STATE, "optimizer.step()\n    write_atomically(path, state)\n"),
        caught_by="test_saving_leaves_the_run_alone",
        explanation="""The optimizer takes a step while the run is saved. A run that saves is then another run than one
        that does not.""",
    ),
    mistake(
        "saving draws from torch's random numbers",
        swap(WRITE_STATE, "torch.rand(1)\n    write_atomically(path, state)\n"),
        caught_by="test_saving_leaves_the_run_alone",
        explanation="""A random number is drawn while saving, for a name perhaps. All that the run draws afterwards is
        moved by one.""",
    ),
    mistake(
        "saving draws from the generator",
        swap(WRITE_STATE, "torch.rand(1, generator=generator)\n    write_atomically(path, state)\n"),
        caught_by="test_saving_leaves_the_run_alone",
        explanation="""A number is drawn from the generator that was to be saved. The batches that come next are others
        than without saving.""",
    ),
    mistake(
        "saving seeds the generator",
        swap(
            WRITE_STATE,
            "if generator is not None:\n        generator.manual_seed(step)\n    write_atomically(path, state)\n",
        ),
        caught_by="test_saving_leaves_the_run_alone",
        explanation="""The generator is seeded anew while saving. The batches that come next are others than without
        saving.""",
    ),
    mistake(
        "saving freezes the model",
        swap(WRITE_STATE, "model.requires_grad_(False)\n    write_atomically(path, state)\n"),
        caught_by="test_saving_leaves_the_run_alone",
        explanation="""The parameters are told that they need no gradient and stay so. The run that goes on after saving
        learns nothing.""",
    ),
    mistake(
        "saving empties the optimizer",
        swap(WRITE_STATE, "write_atomically(path, state)\n    optimizer.state.clear()\n"),
        caught_by="test_saving_leaves_the_run_alone",
        explanation="""The optimizer's running means are thrown away once they are in the file. The run that goes on
        after saving has to gather them anew.""",
    ),
    # Step 2: what cannot be read
    mistake(
        "the file is unpickled without care",
        swap(READ, "return torch.load(path, map_location=map_location, weights_only=False)"),
        caught_by="test_a_program_in_a_pickle_is_refused_and_not_run",
        explanation="""Whatever the pickle in the file asks for is called while it is read. A file from a stranger can then
        do anything that you can do.""",
    ),
    mistake(
        "torch's own errors come out",
        swap(UNREADABLE, ""),
        caught_by="test_a_damaged_file_is_refused",
        explanation="""What torch raises for a damaged file goes through as it is. It can be nearly any type, and it does
        not say which file.""",
    ),
    mistake(
        "only one type of error is expected",
        swap("except Exception as error:  # a damaged", "except RuntimeError as error:  # a damaged"),
        caught_by="test_a_damaged_file_is_refused",
        explanation="""One type of error becomes a CheckpointError, and others go through. What torch raises depends on how
        the file is damaged.""",
    ),
    mistake(
        "a missing file raises FileNotFoundError",
        swap(MISSING, "raise"),
        caught_by="test_a_missing_file_is_refused",
        explanation="""Where there is no file, Python's own error comes out. Whoever catches CheckpointError expects this
        case among the others.""",
    ),
    mistake(
        "the error for a missing file does not name it",
        swap(MISSING, 'raise CheckpointError("there is no such file") from None'),
        caught_by="test_a_missing_file_is_refused",
        explanation="""The message says that a file is missing and not which. A run that looks through several needs the
        name.""",
    ),
    mistake(
        "the error for a damaged file does not name it",
        swap(
            'raise CheckpointError(f"{path}: cannot be read: {reason}")',
            'raise CheckpointError(f"cannot be read: {reason}")',
        ),
        caught_by="test_a_damaged_file_is_refused",
        explanation="""The message says that a file cannot be read and not which. Whoever has to repair it needs the
        name.""",
    ),
    mistake(
        "the error is Python's own",
        swap(ERROR, "CheckpointError = RuntimeError"),
        caught_by="test_the_error_is_a_type_of_its_own",
        explanation="""CheckpointError is another name for one of Python's errors. Whoever catches it also catches what
        has nothing to do with checkpoints.""",
    ),
    mistake(
        "the error is no exception",
        swap(ERROR, ERROR.replace("(Exception)", "")),
        caught_by="test_the_error_is_a_type_of_its_own",
        explanation="""CheckpointError is an ordinary class. Only exceptions can be raised and caught.""",
    ),
    mistake(
        "a missing file means step 0",
        swap(READING, "    if not os.path.exists(path):\n        return 0\n" + READING),
        caught_by="test_a_missing_file_is_refused",
        explanation="""Where there is no file, a new run is begun without a word. A misspelt path costs all that was
        trained; the caller decides whether to begin anew.""",
    ),
    mistake(
        "a missing file raises another kind of error",
        swap(MISSING, 'raise ValueError(f"{path}: there is no such file") from None'),
        caught_by="test_a_missing_file_is_refused",
        explanation="""The message is right and its type is another. Whoever catches CheckpointError does not
        catch it.""",
    ),
    mistake(
        "a damaged file means step 0",
        swap(
            READING,
            "    try:\n        state = read_checkpoint(path, map_location)\n    except CheckpointError:\n        if not os.path.exists(path):\n            raise\n        return 0\n",
        ),
        caught_by="test_a_damaged_file_is_refused",
        explanation="""Where the file cannot be read, a new run is begun without a word. The caller decides whether to
        begin anew, and has to be told.""",
    ),
    mistake(
        "a damaged file raises another kind of error",
        swap(
            'raise CheckpointError(f"{path}: cannot be read: {reason}")',
            'raise RuntimeError(f"{path}: cannot be read: {reason}")',
        ),
        caught_by="test_a_damaged_file_is_refused",
        explanation="""The message is right and its type is another. Whoever catches CheckpointError does not
        catch it.""",
    ),
    mistake(
        "only an early end is expected",
        swap("except Exception as error:  # a damaged", "except EOFError as error:  # a damaged"),
        caught_by="test_a_damaged_file_is_refused",
        explanation="""Only the error for a file that ends too early becomes a CheckpointError. What torch raises
        depends on how the file is damaged.""",
    ),
    mistake(
        "only errors of unpickling are expected",
        swap("import os\nfrom pathlib", "import os\nimport pickle\nfrom pathlib"),
        swap("except Exception as error:  # a damaged", "except pickle.UnpicklingError as error:  # a damaged"),
        caught_by="test_a_damaged_file_is_refused",
        explanation="""Only the errors of unpickling become a CheckpointError. What torch raises depends on how the file
        is damaged.""",
    ),
    mistake(
        "pickle itself writes and reads",
        swap("import os\nfrom pathlib", "import os\nimport pickle\nfrom pathlib"),
        swap(WRITE, "            pickle.dump(state, file)\n"),
        swap(READ, 'with open(path, "rb") as file:\n            return pickle.load(file)'),
        caught_by="test_a_program_in_a_pickle_is_refused_and_not_run",
        explanation="""The file is a plain pickle, and whatever it asks for is called while it is read. It knows nothing
        of `map_location` either.""",
    ),
    mistake(
        "only files of torch are read with care",
        swap("import os\nfrom pathlib", "import os\nimport zipfile\nfrom pathlib"),
        swap(READ, "return torch.load(path, map_location=map_location, weights_only=zipfile.is_zipfile(path))"),
        caught_by="test_a_program_in_a_pickle_is_refused_and_not_run",
        explanation="""Files of the new form are read with care and old pickles without. Whoever wants to run a program
        on your machine chooses the form.""",
    ),
    # Step 3: what does not fit
    mistake(
        "what is in the file is not looked at",
        swap(CHECK, ""),
        caught_by="test_a_file_that_is_no_checkpoint_is_refused",
        explanation="""What the file holds goes into the model at once. If it does not fit, torch's own error comes out when
        half of it is loaded.""",
    ),
    mistake(
        "what fits is loaded, the rest is ignored",
        swap(MODEL_FITS, 'check_same(path, "checkpoint", state, dict.fromkeys(keys))'),
        swap(LOAD_MODEL, '    model.load_state_dict(state["model"], strict=False)\n'),
        caught_by="test_a_missing_key_is_refused",
        explanation="""With `strict=False` keys that do not match are passed over in silence. A layer under another name then
        keeps its random start, and nobody is told.""",
    ),
    mistake(
        "extra keys are ignored",
        swap(KEY_EXTRA, "saved = saved | {key: None}"),
        swap(LOAD_MODEL, '    model.load_state_dict(state["model"], strict=False)\n'),
        swap(
            'check_same(path, f"{name}.{key}", saved[key], own[key])',
            'check_same(path, f"{name}.{key}", saved[key], own.get(key))',
        ),
        caught_by="test_an_extra_key_is_refused",
        explanation="""Weights in the file that the model has no place for are dropped in silence. A file of another model
        passes for one of this.""",
    ),
    mistake(
        "the error does not name the key",
        swap(KEY_MISSING, 'raise CheckpointError(f"{path}: a key is missing")'),
        caught_by="test_a_missing_key_is_refused",
        explanation="""The message says that a key is missing and not which. A model has hundreds of them.""",
    ),
    mistake(
        "the error does not name the extra key",
        swap(KEY_EXTRA, 'raise CheckpointError(f"{path}: there is a key too many")'),
        caught_by="test_an_extra_key_is_refused",
        explanation="""The message says that there is a key too many and not which. A model has hundreds of them.""",
    ),
    mistake(
        "the error does not name the key of a wrong shape",
        swap(SHAPE, 'raise CheckpointError(f"{path}: a tensor is {found} in the file and {needed} here")'),
        caught_by="test_a_wrong_shape_is_refused",
        explanation="""The message says that a shape is wrong and not which tensor has it. A model has hundreds of them.""",
    ),
    mistake(
        "shapes are not compared",
        swap(
            MODEL_FITS,
            'check_same(path, "checkpoint", state, dict.fromkeys(keys) | {"model": dict.fromkeys(model.state_dict())})',
        ),
        caught_by="test_a_wrong_shape_is_refused",
        explanation="""Only the names are compared before loading. torch finds the wrong shape when the other tensors have
        already been loaded.""",
    ),
    mistake(
        "only the number of entries is compared",
        swap(FOUND, "x.numel() if torch.is_tensor(x)"),
        swap(
            LOAD_MODEL,
            '    for name, values in model.state_dict().items():\n        values.copy_(state["model"][name].reshape(values.shape))\n',
        ),
        caught_by="test_a_wrong_shape_is_refused",
        explanation="""A tensor with as many entries passes, whatever its shape, and is reshaped. A turned matrix is another
        matrix.""",
    ),
    mistake(
        "what is too small is stretched",
        swap(
            MODEL_FITS,
            'check_same(path, "checkpoint", state, dict.fromkeys(keys) | {"model": dict.fromkeys(model.state_dict())})\n'
            '    for name, values in model.state_dict().items():\n        if values.ndim and state["model"][name].shape[0] != 1:\n'
            '            check_same(path, f"model.{name}", state["model"][name], values)',
        ),
        swap(
            LOAD_MODEL,
            '    for name, values in model.state_dict().items():\n        values.copy_(state["model"][name])\n',
        ),
        caught_by="test_a_wrong_shape_is_refused",
        explanation="""`copy_` stretches a tensor that is smaller, so that one row fills all of them. What came from the file
        has another shape, and that is an error.""",
    ),
    mistake(
        "the model is loaded before the rest is checked",
        swap(LOAD_MODEL, ""),
        swap(CHECK, '    check_fits(path, state, model)\n    model.load_state_dict(state["model"])\n' + CHECK),
        caught_by="test_an_optimizer_that_does_not_fit_is_refused",
        explanation="""The model is changed before it is known whether the optimizer fits. After the error the two belong to
        different runs.""",
    ),
    mistake(
        "the optimizer is not checked",
        swap(CHECK, "    check_fits(path, state, model, None, generator)\n"),
        caught_by="test_an_optimizer_that_does_not_fit_is_refused",
        explanation="""Only the model is compared with the file. An optimizer that does not fit is found by torch, when the
        model has been changed.""",
    ),
    mistake(
        "the error comes after the loading",
        swap(
            LOAD_MODEL,
            "",
        ),
        swap(
            CHECK,
            """    try:
        model.load_state_dict(state["model"])
    except Exception as error:
        raise CheckpointError(f"{path}: {error}") from error
"""
            + CHECK,
        ),
        caught_by="test_a_missing_key_is_refused",
        explanation="""The model is loaded, and what torch raises becomes a CheckpointError. By then everything that did fit
        has been loaded, and the model is a mixture.""",
    ),
    mistake(
        "the weights alone pass for a checkpoint",
        swap(
            CHECK,
            '    if isinstance(state, dict) and state and "model" not in state:\n        model.load_state_dict(state)\n        return 0\n'
            + CHECK,
        ),
        caught_by="test_a_file_that_is_no_checkpoint_is_refused",
        explanation="""A file that holds only weights is loaded, and the step is made up. The optimizer and the random
        numbers are not those of the run, and nobody is told.""",
    ),
    mistake(
        "any dict is taken for a checkpoint",
        swap(CHECK, "    if isinstance(state, dict) and not state:\n        return 0\n" + CHECK),
        caught_by="test_a_file_that_is_no_checkpoint_is_refused",
        explanation="""An empty dict is taken for a run that has not begun. It holds nothing that a checkpoint holds,
        and should be refused.""",
    ),
    mistake(
        "only dicts are looked into",
        swap(CHECK, "    if isinstance(state, dict):\n        check_fits(path, state, model, optimizer, generator)\n"),
        caught_by="test_a_file_that_is_no_checkpoint_is_refused",
        explanation="""What is no dict is not checked and fails later in some way of its own. It is a wrong file as
        well.""",
    ),
    mistake(
        "missing keys are ignored",
        swap(KEY_MISSING, "saved = saved | {key: own[key]}"),
        swap(LOAD_MODEL, '    model.load_state_dict(state["model"], strict=False)\n'),
        caught_by="test_a_missing_key_is_refused",
        explanation="""Weights that the file lacks are left as they are, in silence. A layer then keeps its random
        start.""",
    ),
    mistake(
        "a missing key is a KeyError",
        swap(KEY_MISSING, 'raise KeyError(f"{path}: {name}.{key} is missing")'),
        caught_by="test_a_missing_key_is_refused",
        explanation="""The error for a missing key is Python's own. Whoever catches CheckpointError expects this case
        among the others.""",
    ),
    mistake(
        "a missing key is found while loading",
        swap(KEY_MISSING, "continue"),
        caught_by="test_a_missing_key_is_refused",
        explanation="""Only what both have is compared, and torch finds what is missing. By then it has loaded the rest,
        and its error says nothing of the file.""",
    ),
    mistake(
        "an extra key is a KeyError",
        swap(KEY_EXTRA, 'raise KeyError(f"{path}: {name}.{key} is in the file and has no place here")'),
        caught_by="test_an_extra_key_is_refused",
        explanation="""The error for a key too many is Python's own. Whoever catches CheckpointError expects this case
        among the others.""",
    ),
    mistake(
        "an extra key is found while loading",
        swap(KEY_EXTRA, "continue"),
        caught_by="test_an_extra_key_is_refused",
        explanation="""Only what both have is compared, and torch finds what is too much. By then it has loaded the
        rest, and its error says nothing of the file.""",
    ),
    mistake(
        "weights are loaded in order whatever their names",
        swap(
            MODEL_FITS,
            'check_same(path, "checkpoint", state, dict.fromkeys(keys))\n    check_same(path, "model", list(state["model"].values()), list(model.state_dict().values()))',
        ),
        swap(LOAD_MODEL, '    model.load_state_dict(dict(zip(model.state_dict(), state["model"].values())))\n'),
        caught_by="test_a_weight_of_another_name_is_refused",
        explanation="""The first weight of the file goes to the first of the model, and so on. Names are what says where
        a weight belongs; two layers of one shape may have changed places.""",
    ),
    mistake(
        "only the number of keys is compared",
        swap(
            MODEL_FITS,
            'check_same(path, "checkpoint", state, dict.fromkeys(keys))\n    if len(state["model"]) != len(model.state_dict()):\n        check_same(path, "model", state["model"], model.state_dict())\n    for key in state["model"].keys() & model.state_dict().keys():\n        check_same(path, f"model.{key}", state["model"][key], model.state_dict()[key])',
        ),
        swap(LOAD_MODEL, '    model.load_state_dict(state["model"], strict=False)\n'),
        caught_by="test_a_weight_of_another_name_is_refused",
        explanation="""A file with as many weights passes, whatever their names. A layer whose name was changed keeps
        its random start.""",
    ),
    mistake(
        "only the number of rows is compared",
        swap(FOUND, "tuple(x.shape[:1]) if torch.is_tensor(x)"),
        caught_by="test_a_wrong_shape_is_refused",
        explanation="""The first dimension is compared and the others are not. torch finds the wrong shape when the
        other tensors have already been loaded.""",
    ),
    mistake(
        "only the last dimension is compared",
        swap(FOUND, "tuple(x.shape[-1:]) if torch.is_tensor(x)"),
        caught_by="test_a_wrong_shape_is_refused",
        explanation="""The last dimension is compared and the others are not. torch finds the wrong shape when the other
        tensors have already been loaded.""",
    ),
    mistake(
        "what does not fit is passed over",
        swap(
            MODEL_FITS,
            'check_same(path, "checkpoint", state, dict.fromkeys(keys))\n    check_same(path, "model", dict.fromkeys(state["model"]), dict.fromkeys(model.state_dict()))',
        ),
        swap(
            LOAD_MODEL,
            '    own = model.state_dict()\n    fitting = {k: v for k, v in state["model"].items() if v.shape == own[k].shape}\n    model.load_state_dict(fitting, strict=False)\n',
        ),
        caught_by="test_a_wrong_shape_is_refused",
        explanation="""Weights of another shape are left out in silence. The layer they were meant for keeps its random
        start.""",
    ),
    mistake(
        "what is too large is cut off",
        swap(
            MODEL_FITS,
            'check_same(path, "checkpoint", state, dict.fromkeys(keys))\n    check_same(path, "model", dict.fromkeys(state["model"]), dict.fromkeys(model.state_dict()))',
        ),
        swap(
            LOAD_MODEL,
            '    for name, values in model.state_dict().items():\n        part = state["model"][name]\n        values.copy_(part[: len(values)] if values.ndim else part)\n',
        ),
        caught_by="test_a_wrong_shape_is_refused",
        explanation="""Rows that the model has no place for are cut off in silence. What came from the file has another
        shape, and that is an error.""",
    ),
    mistake(
        "a wrong shape is a ValueError",
        swap(SHAPE, 'raise ValueError(f"{path}: {name} is {found} in the file and {needed} here")'),
        caught_by="test_a_wrong_shape_is_refused",
        explanation="""The error for a wrong shape is Python's own. Whoever catches CheckpointError expects this case
        among the others.""",
    ),
    mistake(
        "an assertion compares the shapes",
        swap(SHAPE, 'assert found == needed, f"{path}: {name}"'),
        caught_by="test_a_wrong_shape_is_refused",
        explanation="""A wrong shape ends in an AssertionError, and in none where Python runs with -O. Whoever catches
        CheckpointError expects this case among the others.""",
    ),
    mistake(
        "only the number of groups is compared",
        swap(
            OPTIMIZER_FITS,
            '        if len(state["optimizer"]["param_groups"]) != len(optimizer.param_groups):\n            raise CheckpointError(f"{path}: the optimizer has other groups")\n',
        ),
        caught_by="test_an_optimizer_that_does_not_fit_is_refused",
        explanation="""A file with as many groups passes, however many parameters each has. torch finds the difference
        when the model has been changed.""",
    ),
    mistake(
        "only the number of parameters is compared",
        swap(
            OPTIMIZER_FITS,
            '        counts = [sum(len(group["params"]) for group in groups) for groups in (state["optimizer"]["param_groups"], optimizer.param_groups)]\n        if counts[0] != counts[1]:\n            raise CheckpointError(f"{path}: the optimizer has other parameters")\n',
        ),
        caught_by="test_an_optimizer_that_does_not_fit_is_refused",
        explanation="""A file with as many parameters passes, whatever groups they are in. torch finds the difference
        when the model has been changed.""",
    ),
    mistake(
        "an optimizer that does not fit is passed over",
        swap(
            CHECK,
            "    try:\n        check_fits(path, state, model, optimizer)\n    except CheckpointError:\n        check_fits(path, state, model)\n        optimizer = None\n"
            + CHECK,
        ),
        caught_by="test_an_optimizer_that_does_not_fit_is_refused",
        explanation="""Where the optimizer does not fit, only the weights are loaded, in silence. The run goes on with
        running means that are not its own.""",
    ),
    mistake(
        "the optimizer is loaded before the rest is checked",
        swap("        " + LOAD_OPTIMIZER, ""),
        swap(
            CHECK,
            '    if optimizer is not None and isinstance(state, dict) and "optimizer" in state:\n        try:\n            optimizer.load_state_dict(state["optimizer"])\n        except ValueError as error:\n            raise CheckpointError(f"{path}: {error}") from error\n'
            + CHECK,
        ),
        caught_by="test_a_weight_of_another_name_is_refused",
        explanation="""The optimizer is changed before it is known whether the model fits. After the error the two
        belong to different runs.""",
    ),
    # Step 4: what comes back
    mistake(
        "the numbers are saved in half precision",
        swap(
            MODEL,
            '"model": {\n            name: values.half().to(values.dtype) if values.is_floating_point() else values\n'
            '            for name, values in model.state_dict().items()\n        },\n        "optimizer"',
        ),
        caught_by="test_weights_and_buffers_come_back",
        explanation="""The weights are rounded to fewer digits on their way into the file. The resumed run starts from
        other weights than the ones it stopped at.""",
    ),
    mistake(
        "everything is converted to float32",
        swap(
            MODEL,
            '"model": {\n            name: values.float() if values.is_floating_point() else values\n'
            '            for name, values in model.state_dict().items()\n        },\n        "optimizer"',
        ),
        caught_by="test_weights_and_buffers_come_back",
        explanation="""All weights are written in float32. A model in double precision comes back with half of its
        digits.""",
    ),
    mistake(
        "buffers are left out",
        swap(MODEL, '"model": dict(model.named_parameters()),\n        "optimizer"'),
        swap(
            MODEL_FITS,
            'check_same(path, "checkpoint", state, dict.fromkeys(keys) | {"model": dict(model.named_parameters())})',
        ),
        swap(LOAD_MODEL, '    model.load_state_dict(state["model"], strict=False)\n'),
        caught_by="test_weights_and_buffers_come_back",
        explanation="""Only parameters are saved. Buffers, such as running means, are part of what the model computes and
        would start anew.""",
    ),
    mistake(
        "buffers are not saved",
        swap(MODEL, '"model": dict(model.named_parameters()),\n        "optimizer"'),
        caught_by="test_weights_and_buffers_come_back",
        explanation="""The file holds the parameters and no buffers, such as running means. They are part of what the model computes;
        and a model that has some finds them missing in its own checkpoint.""",
    ),
    mistake(
        "the snapshot is kept in memory",
        swap("import os\nfrom pathlib", "import os\n\nfrom pathlib"),
        swap(
            WRITE_STATE,
            "write_atomically(path, state)\n    kept[os.path.abspath(path)] = state, os.stat(path).st_ino\n",
        ),
        swap(
            READ,
            """state = torch.load(path, map_location=map_location, weights_only=True)
        known = kept.get(os.path.abspath(path))
        return known[0] if known and known[1] == os.stat(path).st_ino else state""",
        ),
        swap("def write_atomically", "kept = {}\n\n\ndef write_atomically"),
        caught_by="test_weights_and_buffers_come_back",
        explanation="""What comes back is the dict from memory, not what is in the file. `state_dict()` holds the living
        tensors, and training has changed them since.""",
    ),
    mistake(
        "the weights are not loaded",
        swap(LOAD_MODEL, ""),
        caught_by="test_weights_and_buffers_come_back",
        explanation="""The file is read and checked, and the model keeps the weights it had. Reading a checkpoint changes no
        model by itself.""",
    ),
    mistake(
        "the parameters are replaced by others",
        swap(LOAD_MODEL, '    model.load_state_dict(state["model"], assign=True)\n'),
        caught_by="test_training_goes_on_as_if_it_had_never_stopped",
        explanation="""The model gets new parameter objects instead of new values in its own. The optimizer still holds the
        old ones, and what it changes is no longer part of the model.""",
    ),
    mistake(
        "the optimizer does not come back",
        swap("        " + LOAD_OPTIMIZER, ""),
        caught_by="test_training_goes_on_as_if_it_had_never_stopped",
        explanation="""After loading, the optimizer is as it was before: its running means and its settings are not those
        of the run that was saved. The next steps are those of another run.""",
    ),
    mistake(
        "the optimizer's numbers are left out",
        swap(MOMENTS, '"optimizer": optimizer.state_dict() | {"state": {}},'),
        caught_by="test_training_goes_on_as_if_it_had_never_stopped",
        explanation="""The optimizer's settings are saved and its running means are not. AdamW then starts to average anew
        and takes its first steps at the full rate.""",
    ),
    mistake(
        "the optimizer keeps its own numbers",
        swap(
            LOAD_OPTIMIZER,
            'optimizer.load_state_dict(state["optimizer"] | {"state": optimizer.state_dict()["state"]})\n',
        ),
        caught_by="test_training_goes_on_as_if_it_had_never_stopped",
        explanation="""The optimizer's settings are loaded and its running means are not. It goes on with whatever it had gathered
        before, for other weights.""",
    ),
    mistake(
        "the optimizer's settings are left out",
        swap(
            "        " + LOAD_OPTIMIZER,
            """        mine = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
        optimizer.load_state_dict(state["optimizer"])
        for group, settings in zip(optimizer.param_groups, mine):
            group.update(settings)
""",
        ),
        caught_by="test_training_goes_on_as_if_it_had_never_stopped",
        explanation="""The running means come back, and settings such as the learning rate do not. The run goes on at the
        rate that the new optimizer was made with.""",
    ),
    mistake(
        "the step is one too high",
        swap(STEP_BACK, 'return state["step"] + 1'),
        caught_by="test_the_step_comes_back",
        explanation="""One is added to the step, in saving or in loading. What is saved is the step to go on from, and the
        schedule would skip it.""",
    ),
    mistake(
        "the step is one too low",
        swap(STEP_BACK, 'return state["step"] - 1'),
        caught_by="test_the_step_comes_back",
        explanation="""One is taken off the step, in saving or in loading. What is saved is the step to go on from, and the
        one before it would be taken twice.""",
    ),
    mistake(
        "the step is a tensor",
        swap(STEP_BACK, 'return torch.tensor(state["step"])'),
        caught_by="test_the_step_comes_back",
        explanation="""The step comes back as a tensor. It went in as an ordinary number, and a schedule or a log expects
        one.""",
    ),
    mistake(
        "nothing is returned",
        swap(STEP_BACK, "return None"),
        caught_by="test_the_step_comes_back",
        explanation="""The function loads and says nothing. Without the step nobody knows where the schedule stands.""",
    ),
    mistake(
        "more than the step is returned",
        swap(STEP_BACK, 'return model, optimizer, state["step"]'),
        caught_by="test_the_step_comes_back",
        explanation="""Model and optimizer come back along with the step. Both were changed where they stand; the step alone is the
        answer.""",
    ),
    mistake(
        "torch's random numbers do not come back",
        swap(LOAD_RANDOM, "pass\n"),
        caught_by="test_random_numbers_go_on_where_they_were",
        explanation="""The state of torch's own random numbers is left as it is. Dropout draws from it, so the resumed run
        drops other numbers than the one that never stopped.""",
    ),
    mistake(
        "torch's random numbers start from the beginning",
        swap(CPU_RANDOM, '"cpu_random": torch.Generator().manual_seed(torch.initial_seed()).get_state(),'),
        caught_by="test_random_numbers_go_on_where_they_were",
        explanation="""The seed is kept, and not how far the random numbers have got. The resumed run draws the same
        ones a second time.""",
    ),
    mistake(
        "the generator does not come back",
        swap(LOAD_GENERATOR, "pass"),
        caught_by="test_the_generator_goes_on_where_it_was",
        explanation="""The generator that was handed over is left as it was. It decides which batches come next, and the
        resumed run sees others.""",
    ),
    mistake(
        "the generator starts from the beginning",
        swap(
            "None if generator is None else generator.get_state(),",
            "None if generator is None else generator.clone_state().manual_seed(generator.initial_seed()).get_state(),",
        ),
        caught_by="test_the_generator_goes_on_where_it_was",
        explanation="""The generator's seed is kept, and not how far it has got. The resumed run sees the first batches a
        second time.""",
    ),
    mistake(
        "torch's own random numbers are saved for the generator",
        swap(
            "None if generator is None else generator.get_state(),",
            "None if generator is None else torch.get_rng_state(),",
        ),
        caught_by="test_the_generator_goes_on_where_it_was",
        explanation="""What is kept for the generator is the state of torch's global random numbers. A generator counts for itself,
        and has its own `get_state`.""",
    ),
    mistake(
        "a generator is always needed",
        swap(
            "    if generator is not None:\n        " + LOAD_GENERATOR,
            '    (generator or torch.default_generator).set_state(state["generator"])',
        ),
        caught_by="test_the_step_comes_back",
        explanation="""The generator's state is used whether there is one or not. Both may be missing: a run may have no
        generator, and a checkpoint none saved.""",
    ),
    mistake(
        "loading switches to eval mode",
        swap(LOAD_MODEL, '    model.load_state_dict(state["model"])\n    model.eval()\n'),
        caught_by="test_loading_leaves_the_mode_alone",
        explanation="""The model is put into eval mode after loading. A run that was resumed would train without
        dropout.""",
    ),
    mistake(
        "loading switches to train mode",
        swap(LOAD_MODEL, '    model.load_state_dict(state["model"])\n    model.train()\n'),
        caught_by="test_loading_leaves_the_mode_alone",
        explanation="""The model is put into train mode after loading. Whoever loads it to use it would get dropout in
        every answer.""",
    ),
    mistake(
        "tensors go to where they were",
        swap(READ, "return torch.load(path, weights_only=True)"),
        caught_by="test_a_file_from_a_gpu_loads_on_the_cpu",
        explanation="""`map_location` is not used, so each tensor is put on the device it was saved from. Where there is no
        such device the file cannot be read.""",
    ),
    mistake(
        "an optimizer is always needed",
        swap(WITH_OPTIMIZER, "    if True:\n        " + LOAD_OPTIMIZER),
        caught_by="test_the_step_comes_back",
        explanation="""The optimizer is loaded whether there is one or not. Whoever only wants the weights has none to
        give.""",
    ),
    mistake(
        "the optimizer's own count is returned",
        swap(
            STEP_BACK,
            'return int(max((moments["step"] for moments in state["optimizer"]["state"].values()), default=0))',
        ),
        caught_by="test_the_step_comes_back",
        explanation="""What comes back is how often the optimizer has moved. That is another number where a run was
        resumed, and some optimizers do not count.""",
    ),
    mistake(
        "the step comes back as a float",
        swap(STEP_BACK, 'return float(state["step"])'),
        caught_by="test_the_step_comes_back",
        explanation="""The step is turned into a number with a point. It counts something, and is used to count on.""",
    ),
    mistake(
        "the step comes back as a text",
        swap(STEP_BACK, 'return str(state["step"])'),
        caught_by="test_the_step_comes_back",
        explanation="""The step is turned into text. It is a number, and is used to count on.""",
    ),
    mistake(
        "step 0 is always returned",
        swap(STEP_BACK, "return 0"),
        caught_by="test_the_step_comes_back",
        explanation="""Whatever was saved, the run is told to begin at 0. The schedule then warms up a second time.""",
    ),
    mistake(
        "the step comes back only with an optimizer",
        swap(STEP_BACK, 'return state["step"] if optimizer is not None else 0'),
        caught_by="test_the_step_comes_back",
        explanation="""Without an optimizer the step is 0. It says how far the weights have been trained, which whoever
        only loads those wants to know too.""",
    ),
    mistake(
        "a step of 0 is refused",
        swap(STEP_FITS, 'if not state["step"]:'),
        caught_by="test_the_step_comes_back",
        explanation="""The question is whether the step is true, and 0 is not. A run may be saved before its first
        step.""",
    ),
    mistake(
        "the step is not saved",
        swap(SAVE_STEP, ""),
        caught_by="test_the_step_comes_back",
        explanation="""The step is taken and does not go into the file. When it is asked for there, it is missing.""",
    ),
    mistake(
        "everything in the file is returned",
        swap(STEP_BACK, "return state"),
        caught_by="test_the_step_comes_back",
        explanation="""The whole dict comes back. The step alone is the answer; all the rest has been put where it
        belongs.""",
    ),
    mistake(
        "the model is returned",
        swap(STEP_BACK, "return model"),
        caught_by="test_the_step_comes_back",
        explanation="""The model comes back, which the caller has already. The step is what only the file knows.""",
    ),
    mistake(
        "the step is counted from what is left",
        swap(SAVE_STEP, '        "step": -step,\n'),
        caught_by="test_the_step_comes_back",
        explanation="""The step changes its sign on its way through the file. It has to come back as it went in.""",
    ),
    mistake(
        "whole numbers are not saved",
        swap(
            MODEL,
            '"model": {name: values for name, values in model.state_dict().items() if values.is_floating_point()},\n        "optimizer"',
        ),
        caught_by="test_weights_and_buffers_come_back",
        explanation="""Only tensors of floats are saved. A buffer may count something, and a model that has one finds it
        missing in its own checkpoint.""",
    ),
    mistake(
        "the model itself is saved",
        swap(MODEL, '"model": model,\n        "optimizer"'),
        caught_by="test_weights_and_buffers_come_back",
        explanation="""The whole object is pickled, with its class. What is read with care can only hold tensors and
        plain values; and a class that was renamed could not be found.""",
    ),
    mistake(
        "the optimizer itself is saved",
        swap(MOMENTS, '"optimizer": optimizer,'),
        caught_by="test_weights_and_buffers_come_back",
        explanation="""The whole object is pickled, with its class. What is read with care can only hold tensors and
        plain values.""",
    ),
    mistake(
        "weights without their names",
        swap(MODEL, '"model": list(model.state_dict().values()),\n        "optimizer"'),
        caught_by="test_weights_and_buffers_come_back",
        explanation="""The values are saved in a row and the names are not. Nobody can tell then which weight belongs
        where.""",
    ),
    mistake(
        "weights as lists of numbers",
        swap(
            MODEL,
            '"model": {name: values.tolist() for name, values in model.state_dict().items()},\n        "optimizer"',
        ),
        caught_by="test_weights_and_buffers_come_back",
        explanation="""The tensors become nested lists of Python numbers. They have no shape and no dtype then, and are
        not what a model loads.""",
    ),
    mistake(
        "saved in double precision",
        swap(
            MODEL,
            '"model": {name: values.double() for name, values in model.state_dict().items()},\n        "optimizer"',
        ),
        swap(
            LOAD_MODEL,
            '    for name, values in model.state_dict().items():\n        values.data = state["model"][name]\n        model.get_parameter(name).data = values.data if name in dict(model.named_parameters()) else None\n'.replace(
                "        model.get_parameter(name).data = values.data if name in dict(model.named_parameters()) else None\n",
                "",
            )
            + '    for name, values in model.named_parameters():\n        values.data = state["model"][name]\n',
        ),
        caught_by="test_weights_and_buffers_come_back",
        explanation="""All weights are written in float64 and put into the model as they are. A model has another dtype
        after loading than before.""",
    ),
    mistake(
        "weights come back only with an optimizer",
        swap(LOAD_MODEL, ""),
        swap(
            WITH_OPTIMIZER,
            "    if optimizer is not None:\n        " + LOAD_MODEL.strip() + "\n        " + LOAD_OPTIMIZER,
        ),
        caught_by="test_weights_and_buffers_come_back",
        explanation="""The weights are loaded together with the optimizer or not at all. Whoever only wants the weights
        gives no optimizer.""",
    ),
    mistake(
        "weights come back only without an optimizer",
        swap(LOAD_MODEL, ""),
        swap(
            LOAD_RANDOM,
            LOAD_RANDOM.rstrip() + "\n    else:\n        " + LOAD_MODEL.strip() + "\n    if optimizer is not None:\n",
        ),
        caught_by="test_weights_and_buffers_come_back",
        explanation="""The weights are loaded in the other branch, where there is no optimizer. A run that is resumed
        needs both.""",
    ),
    mistake(
        "only trained layers come back",
        swap(
            LOAD_MODEL,
            '    with torch.no_grad():\n        for name, values in model.named_parameters():\n            if values.ndim > 1:\n                values.copy_(state["model"][name])\n',
        ),
        caught_by="test_weights_and_buffers_come_back",
        explanation="""Only matrices are loaded. Biases and buffers are part of what the model computes too.""",
    ),
    mistake(
        "the file is added to what is there",
        swap(
            LOAD_MODEL,
            '    for name, values in model.state_dict().items():\n        values.add_(state["model"][name])\n',
        ),
        caught_by="test_weights_and_buffers_come_back",
        explanation="""The numbers of the file are added to those of the model. They take their place.""",
    ),
    mistake(
        "half-way between the file and the model",
        swap(
            LOAD_MODEL,
            '    for name, values in model.state_dict().items():\n        values.copy_((values + state["model"][name]) / 2)\n',
        ),
        caught_by="test_weights_and_buffers_come_back",
        explanation="""The model gets the mean of its own numbers and the file's. It should be what was saved.""",
    ),
    mistake(
        "loading freezes the model",
        swap(LOAD_MODEL, LOAD_MODEL + "    model.requires_grad_(False)\n"),
        caught_by="test_weights_and_buffers_come_back",
        explanation="""The parameters are told that they need no gradient after loading. A run that is resumed would
        learn nothing.""",
    ),
    mistake(
        "the model becomes float32",
        swap(LOAD_MODEL, LOAD_MODEL + "    model.float()\n"),
        caught_by="test_weights_and_buffers_come_back",
        explanation="""The model is converted to float32 after loading. It keeps the dtype that it had.""",
    ),
    mistake(
        "the model comes before the path",
        swap(
            "def load_checkpoint(\n    path: str | os.PathLike,\n    model: nn.Module,\n",
            "def load_checkpoint(\n    model: nn.Module,\n    path: str | os.PathLike,\n",
        ),
        caught_by="test_weights_and_buffers_come_back",
        explanation="""The arguments of load_checkpoint stand in another order than in the signature that was given.
        Whoever calls by place hands the path in as the model.""",
    ),
    mistake(
        "everything goes to another device",
        swap(
            '    generator: torch.Generator | None = None,\n    map_location: str | torch.device = "cpu",\n) -> int',
            '    generator: torch.Generator | None = None,\n    map_location: str | torch.device = "cuda",\n) -> int',
        ),
        caught_by="test_weights_and_buffers_come_back",
        explanation="""Unless told otherwise, the tensors go to a GPU. Where there is none the file cannot be read;
        "cpu" works everywhere.""",
    ),
    mistake(
        "the tensors go nowhere",
        swap("state = read_checkpoint(path, map_location)", 'state = read_checkpoint(path, "meta")'),
        caught_by="test_weights_and_buffers_come_back",
        explanation="""The tensors are read onto a device that keeps shapes and no numbers. What is put back is
        nothing.""",
    ),
    mistake(
        "the prefix of a wrapper is cut off",
        swap(
            MODEL,
            '"model": {name.removeprefix("module."): values for name, values in model.state_dict().items()},\n        "optimizer"',
        ),
        caught_by="test_any_model_comes_back",
        explanation="""The names are saved without the `module.` that a wrapper puts in front. The model that is wrapped
        so looks for its own names, and a child may be called so too.""",
    ),
    mistake(
        "the prefix of a compiled model is cut off",
        swap(
            MODEL,
            '"model": {name.replace("_orig_mod.", ""): values for name, values in model.state_dict().items()},\n        "optimizer"',
        ),
        caught_by="test_any_model_comes_back",
        explanation="""The names are saved without the `_orig_mod.` that a compiled model puts in front. The model that
        is compiled looks for its own names.""",
    ),
    mistake(
        "a shared weight is saved once",
        swap(
            MODEL,
            '"model": {name: values.detach() for name, values in [*model.named_parameters(), *model.named_buffers()]},\n        "optimizer"',
        ),
        caught_by="test_any_model_comes_back",
        explanation="""`named_parameters` lists a weight that stands in two places under one name only. A model with
        tied weights finds the other name missing in its own checkpoint.""",
    ),
    mistake(
        "all in one flat dict",
        swap(
            READING,
            READING
            + '    if isinstance(state, dict) and isinstance(state.get("model"), dict):\n        state["model"] = {k: v for k, v in state["model"].items() if not k.startswith(("optimizer", "step"))}\n',
        ),
        caught_by="test_any_model_comes_back",
        explanation="""Weights and the rest of the run are told apart by the beginnings of their names. A model may have
        a child called `optimizer`.""",
    ),
    mistake(
        "a file is read once and kept",
        swap("def read_checkpoint(", "known = {}\n\n\ndef read_checkpoint("),
        swap(
            READ,
            "if os.path.abspath(path) not in known:\n            known[os.path.abspath(path)] = torch.load(path, map_location=map_location, weights_only=True)\n        return known[os.path.abspath(path)]",
        ),
        caught_by="test_the_newest_file_comes_back",
        explanation="""What was read is kept under the file's name and given again. The file may have been saved anew
        since.""",
    ),
    mistake(
        "saved once for each path",
        swap("def save_checkpoint(", "known = set()\n\n\ndef save_checkpoint("),
        swap(
            WRITE_STATE,
            "if os.path.abspath(path) not in known or step < 3:\n        write_atomically(path, state)\n    known.add(os.path.abspath(path))\n",
        ),
        caught_by="test_the_newest_file_comes_back",
        explanation="""After some saves to one path no more are written. Each save has to replace the one before it.""",
    ),
    mistake(
        "a fresh optimizer is refused",
        swap(OPTIMIZER_FITS, '        check_same(path, "optimizer", state["optimizer"], optimizer.state_dict())\n'),
        caught_by="test_a_fresh_optimizer_takes_up_the_run",
        explanation="""The optimizer's running means are compared with those in the file. One that has taken no step has
        none yet, and a resumed run begins with one of those.""",
    ),
    mistake(
        "only an optimizer that has begun is loaded",
        swap(
            WITH_OPTIMIZER,
            '    if optimizer is not None and optimizer.state_dict()["state"]:\n        ' + LOAD_OPTIMIZER,
        ),
        caught_by="test_a_fresh_optimizer_takes_up_the_run",
        explanation="""An optimizer without running means is left as it is. It is just the one that needs those of the
        file.""",
    ),
    mistake(
        "all groups get the first group's rate",
        swap(
            LOAD_OPTIMIZER,
            LOAD_OPTIMIZER
            + '        for group in optimizer.param_groups:\n            group["lr"] = optimizer.param_groups[0]["lr"]\n',
        ),
        caught_by="test_training_goes_on_as_if_it_had_never_stopped",
        explanation="""One learning rate is put into every group. Each group has its own, and gets it back.""",
    ),
    mistake(
        "settings come back for the first group only",
        swap(
            "        " + LOAD_OPTIMIZER,
            '        mine = [group["lr"] for group in optimizer.param_groups]\n        '
            + LOAD_OPTIMIZER
            + '        for group, rate in list(zip(optimizer.param_groups, mine))[1:]:\n            group["lr"] = rate\n',
        ),
        caught_by="test_training_goes_on_as_if_it_had_never_stopped",
        explanation="""The learning rate of the first group comes back and those of the others do not. An optimizer may
        have several groups, each with settings of its own.""",
    ),
    mistake(
        "settings come back for the last group only",
        swap(
            "        " + LOAD_OPTIMIZER,
            '        mine = [group["lr"] for group in optimizer.param_groups]\n        '
            + LOAD_OPTIMIZER
            + '        for group, rate in list(zip(optimizer.param_groups, mine))[:-1]:\n            group["lr"] = rate\n',
        ),
        caught_by="test_training_goes_on_as_if_it_had_never_stopped",
        explanation="""The learning rate of the last group comes back and those of the others do not. An optimizer may
        have several groups, each with settings of its own.""",
    ),
    mistake(
        "the groups change places",
        swap(
            LOAD_OPTIMIZER,
            LOAD_OPTIMIZER
            + '        rates = [group["lr"] for group in optimizer.param_groups]\n        for group, rate in zip(optimizer.param_groups, reversed(rates)):\n            group["lr"] = rate\n',
        ),
        caught_by="test_training_goes_on_as_if_it_had_never_stopped",
        explanation="""The first group gets the settings of the last. Groups come back in the order in which they were
        saved.""",
    ),
    mistake(
        "only the first parameter's numbers come back",
        swap(
            LOAD_OPTIMIZER,
            'optimizer.load_state_dict(state["optimizer"] | {"state": {k: v for k, v in state["optimizer"]["state"].items() if k == 0}})\n',
        ),
        caught_by="test_training_goes_on_as_if_it_had_never_stopped",
        explanation="""The running means of one parameter come back and the others begin anew. Every parameter has its
        own.""",
    ),
    mistake(
        "the running means begin at 0 and the count goes on",
        swap(
            LOAD_OPTIMIZER,
            LOAD_OPTIMIZER
            + '        for moments in optimizer.state.values():\n            for name, value in moments.items():\n                if torch.is_tensor(value) and name != "step":\n                    value.zero_()\n',
        ),
        caught_by="test_training_goes_on_as_if_it_had_never_stopped",
        explanation="""The optimizer knows how many steps it has taken and not what it saw in them. Its running means
        belong to the run as well.""",
    ),
    mistake(
        "the count begins at 0 and the running means go on",
        swap(
            LOAD_OPTIMIZER,
            LOAD_OPTIMIZER
            + '        for moments in optimizer.state.values():\n            if "step" in moments:\n                moments["step"] = torch.zeros_like(moments["step"])\n',
        ),
        caught_by="test_training_goes_on_as_if_it_had_never_stopped",
        explanation="""The running means come back and the number of steps does not. AdamW then corrects them as if they
        had just begun.""",
    ),
    mistake(
        "the mean of the squares does not come back",
        swap(
            LOAD_OPTIMIZER,
            LOAD_OPTIMIZER
            + '        for moments in optimizer.state.values():\n            if "exp_avg_sq" in moments:\n                moments["exp_avg_sq"].zero_()\n',
        ),
        caught_by="test_training_goes_on_as_if_it_had_never_stopped",
        explanation="""One of AdamW's two numbers for each weight is lost, the one that the steps are divided by. The
        next steps are far too long.""",
    ),
    mistake(
        "only the mean of the squares comes back",
        swap(
            LOAD_OPTIMIZER,
            LOAD_OPTIMIZER
            + '        for moments in optimizer.state.values():\n            if "exp_avg" in moments:\n                moments["exp_avg"].zero_()\n',
        ),
        caught_by="test_training_goes_on_as_if_it_had_never_stopped",
        explanation="""One of AdamW's two numbers for each weight is lost, the one that says which way to go. The next
        steps begin from a standstill.""",
    ),
    mistake(
        "the momentum is lost",
        swap(
            LOAD_OPTIMIZER,
            LOAD_OPTIMIZER
            + '        for moments in optimizer.state.values():\n            moments.pop("momentum_buffer", None)\n',
        ),
        caught_by="test_training_goes_on_as_if_it_had_never_stopped",
        explanation="""AdamW's numbers come back and the momentum of plain gradient descent does not. Every optimizer
        keeps numbers under names of its own.""",
    ),
    mistake(
        "the optimizer's numbers are saved in half precision",
        swap(
            MOMENTS,
            '"optimizer": optimizer.state_dict()\n        | {\n            "state": {\n                i: {k: v.half() if torch.is_tensor(v) and v.ndim else v for k, v in moments.items()}\n                for i, moments in optimizer.state_dict()["state"].items()\n            }\n        },',
        ),
        caught_by="test_training_goes_on_as_if_it_had_never_stopped",
        explanation="""The running means are rounded to fewer digits on their way into the file. The resumed run is then
        not quite the one that never stopped.""",
    ),
    mistake(
        "only the optimizer's numbers are saved",
        swap(MOMENTS, '"optimizer": optimizer.state_dict()["state"],'),
        caught_by="test_training_goes_on_as_if_it_had_never_stopped",
        explanation="""The running means are saved and the groups with their settings are not. An optimizer cannot be
        loaded without them.""",
    ),
    mistake(
        "the running means change places",
        swap(
            LOAD_OPTIMIZER,
            LOAD_OPTIMIZER
            + '        for moments in optimizer.state.values():\n            if "exp_avg" in moments:\n                moments["exp_avg"], moments["exp_avg_sq"] = moments["exp_avg_sq"], moments["exp_avg"]\n',
        ),
        caught_by="test_training_goes_on_as_if_it_had_never_stopped",
        explanation="""AdamW's two numbers for each weight come back under each other's name. One is the mean of the
        gradients, the other that of their squares.""",
    ),
    mistake(
        "an optimizer without steps is refused",
        swap(
            OPTIMIZER_FITS,
            OPTIMIZER_FITS
            + '        if not state["optimizer"]["state"]:\n            raise CheckpointError(f"{path}: the optimizer has no running means")\n',
        ),
        caught_by="test_an_optimizer_without_steps_comes_back",
        explanation="""A file from before the first step raises an error. A run may be saved before it begins.""",
    ),
    mistake(
        "old numbers stay where the file has none",
        swap(
            LOAD_OPTIMIZER,
            'optimizer.load_state_dict(state["optimizer"] | {"state": state["optimizer"]["state"] or optimizer.state_dict()["state"]})\n',
        ),
        caught_by="test_an_optimizer_without_steps_comes_back",
        explanation="""Where the file holds no running means, the optimizer keeps those it has. They belong to other
        weights.""",
    ),
    mistake(
        "random numbers come back only with a generator",
        swap(LOAD_RANDOM, "if generator is not None:\n            " + LOAD_RANDOM),
        caught_by="test_random_numbers_go_on_where_they_were",
        explanation="""torch's own random numbers are put back only where a generator is given. Dropout draws from them
        in any case.""",
    ),
    mistake(
        "random numbers come back only without a generator",
        swap(LOAD_RANDOM, "if generator is None:\n            " + LOAD_RANDOM),
        caught_by="test_random_numbers_go_on_where_they_were",
        explanation="""torch's own random numbers are put back only where no generator is given. The generator draws the
        batches; dropout draws from torch's own.""",
    ),
    mistake(
        "seeded with the step on loading",
        swap(LOAD_RANDOM, 'torch.manual_seed(state["step"])\n'),
        caught_by="test_random_numbers_go_on_where_they_were",
        explanation="""torch's random numbers begin anew, with the step for a seed. A run that never stopped has not
        been seeded there.""",
    ),
    mistake(
        "the generator's numbers for torch's own",
        swap(
            LOAD_RANDOM,
            'torch.set_rng_state((state["cpu_random"] if state["generator"] is None else state["generator"]).cpu())\n',
        ),
        caught_by="test_random_numbers_go_on_where_they_were",
        explanation="""torch's own random numbers get the state of the generator. The two count for themselves, and each
        has a state in the file.""",
    ),
    mistake(
        "one random number late",
        swap(LOAD_RANDOM, LOAD_RANDOM + "        torch.rand(1)\n"),
        caught_by="test_random_numbers_go_on_where_they_were",
        explanation="""A random number is drawn after the state has come back. All that the run draws afterwards is
        moved by one.""",
    ),
    mistake(
        "the generator comes back only with an optimizer",
        swap(
            "    if generator is not None:\n        " + LOAD_GENERATOR,
            "    if generator is not None and optimizer is not None:\n        " + LOAD_GENERATOR,
        ),
        caught_by="test_the_generator_goes_on_where_it_was",
        explanation="""Without an optimizer the generator is left as it is. Whoever hands it over wants it back as it
        was.""",
    ),
    mistake(
        "the generator is seeded with the step",
        swap(LOAD_GENERATOR, 'generator.manual_seed(state["step"])'),
        caught_by="test_the_generator_goes_on_where_it_was",
        explanation="""The generator begins anew, with the step for a seed. Its own state is in the file, and says how
        far it has got.""",
    ),
    mistake(
        "the generator itself is saved",
        swap(SAVE_GENERATOR, "generator,"),
        caught_by="test_the_generator_goes_on_where_it_was",
        explanation="""The whole object is pickled. What is read with care can only hold tensors and plain values.""",
    ),
    mistake(
        "the generator comes before the optimizer",
        swap(
            "    model: nn.Module,\n    optimizer: torch.optim.Optimizer | None = None,\n    generator: torch.Generator | None = None,\n    map_location",
            "    model: nn.Module,\n    generator: torch.Generator | None = None,\n    optimizer: torch.optim.Optimizer | None = None,\n    map_location",
        ),
        caught_by="test_the_generator_goes_on_where_it_was",
        explanation="""The arguments of load_checkpoint stand in another order than in the signature that was given.
        Whoever calls by place hands the optimizer in as the generator.""",
    ),
    mistake(
        "the generator is a number late",
        swap(LOAD_GENERATOR, LOAD_GENERATOR + "\n        torch.rand(1, generator=generator)"),
        caught_by="test_the_generator_goes_on_where_it_was",
        explanation="""A number is drawn from the generator after its state has come back. The batches that come next
        are others.""",
    ),
    mistake(
        "the generator is not saved",
        swap(SAVE_GENERATOR, "None,"),
        caught_by="test_the_generator_goes_on_where_it_was",
        explanation="""The generator is taken and its state does not go into the file. It decides which batches come
        next.""",
    ),
    mistake(
        "a saved generator has to be given",
        swap(
            READING,
            READING
            + '    if isinstance(state, dict) and state.get("generator") is not None and generator is None:\n        raise CheckpointError(f"{path}: a generator is needed")\n',
        ),
        caught_by="test_a_saved_generator_may_be_left_out",
        explanation="""A file with a generator's state is refused where none is given. Whoever only wants the weights
        has none to give.""",
    ),
    mistake(
        "the mode that was saved comes back",
        swap(SAVE_STEP, SAVE_STEP + '        "training": model.training,\n'),
        swap('keys = ["model", ', 'keys = ["training", "model", '),
        swap(LOAD_MODEL, LOAD_MODEL + '    model.train(state["training"])\n'),
        caught_by="test_loading_leaves_the_mode_alone",
        explanation="""The mode goes into the file and comes back from there. It belongs to what is being done with the
        model now, and stays as it was before loading.""",
    ),
    mistake(
        "the mode follows the optimizer",
        swap(LOAD_MODEL, LOAD_MODEL + "    model.train(optimizer is not None)\n"),
        caught_by="test_loading_leaves_the_mode_alone",
        explanation="""With an optimizer the model is put into train mode, without one into eval mode. The mode stays as
        it was before loading.""",
    ),
    mistake(
        "the file is deleted after loading",
        swap(STEP_BACK, "os.unlink(path)\n    " + STEP_BACK),
        caught_by="test_loading_leaves_the_file_alone",
        explanation="""The file is removed once it has been read. If the run dies before the next save, nothing is left
        of it.""",
    ),
    mistake(
        "a map_location has to be given",
        swap(
            '    generator: torch.Generator | None = None,\n    map_location: str | torch.device = "cpu",\n) -> int',
            "    generator: torch.Generator | None = None,\n    map_location: str | torch.device | None = None,\n) -> int",
        ),
        caught_by="test_a_file_from_a_gpu_loads_on_the_cpu",
        explanation="""Unless told otherwise, each tensor goes to the device it was saved from. Where there is no such
        device the file cannot be read.""",
    ),
    mistake(
        "the file's dtype takes over",
        swap(
            LOAD_MODEL,
            LOAD_MODEL
            + '    for name, values in model.named_parameters():\n        values.data = state["model"][name]\n',
        ),
        caught_by="test_another_dtype_is_converted_or_refused",
        explanation="""The model's parameters become tensors of the file, in whatever dtype those are. The model keeps
        the dtype that it has.""",
    ),
    mistake(
        "all prefixes are cut off",
        swap(
            MODEL,
            '"model": {k.removeprefix("module.").removeprefix("_orig_mod."): v for k, v in model.state_dict().items()},\n        "optimizer"',
        ),
        caught_by="test_any_model_comes_back",
        explanation="""The names are saved without what wrappers put in front, `module.` and `_orig_mod.`. A model that
        is wrapped looks for its own names, and a child may be called so too.""",
    ),
    mistake(
        "the optimizer counts on from the step",
        swap(
            WITH_OPTIMIZER,
            WITH_OPTIMIZER
            + """        for moments in optimizer.state.values():
            if "step" in moments:
                moments["step"].fill_(state["step"])
""",
        ),
        caught_by="test_training_goes_on_as_if_it_had_never_stopped",
        explanation="""The count that AdamW keeps for each parameter is set to the step of the run. The two need not be the same:
        a parameter may have joined later, and AdamW corrects its means by its own count.""",
    ),
    mistake(
        "the learning rates stay those of the new optimizer",
        swap(
            WITH_OPTIMIZER,
            """    if optimizer is not None:
        rates = [group["lr"] for group in optimizer.param_groups]
        optimizer.load_state_dict(state["optimizer"])
        for group, rate in zip(optimizer.param_groups, rates):
            group["lr"] = rate
""",
        ),
        caught_by="test_settings_come_back_with_the_optimizer",
        explanation="""After loading, each group gets back the learning rate that it was made with. A schedule that has come half
        its way begins anew.""",
    ),
    mistake(
        "settings come back only with numbers",
        swap(
            WITH_OPTIMIZER,
            '    if optimizer is not None:\n        if state["optimizer"]["state"]:\n            ' + LOAD_OPTIMIZER,
        ),
        caught_by="test_a_fresh_optimizer_takes_up_the_run",
        explanation="""An optimizer that keeps no numbers, as plain SGD does not, is passed over. Its settings, such as the learning
        rate, are lost with it.""",
    ),
    mistake(
        "the random numbers of a new generator are saved",
        swap(CPU_RANDOM, '"cpu_random": torch.Generator().get_state(),'),
        caught_by="test_random_numbers_go_on_where_they_were",
        explanation="""A generator is made for the purpose, and its state is saved. Dropout draws from torch's own.""",
    ),
    mistake(
        "a step of 0 becomes 1",
        swap(SAVE_STEP, '        "step": step or 1,\n'),
        caught_by="test_the_step_comes_back",
        explanation="""0 counts as false, so that `or` puts a 1 in its place. A run may be saved before its first step.""",
    ),
    mistake(
        "whole numbers do not come back",
        swap(
            LOAD_MODEL,
            """    own = model.state_dict()
    model.load_state_dict(state["model"] | {k: v.clone() for k, v in own.items() if not v.is_floating_point()})
""",
        ),
        caught_by="test_weights_and_buffers_come_back",
        explanation="""Only what holds fractions is loaded. A buffer may hold whole numbers, such as a count of batches.""",
    ),
    mistake(
        "only errors of files are expected",
        swap("    except Exception as error:  # a damaged", "    except (OSError, EOFError) as error:  # a damaged"),
        caught_by="test_a_damaged_file_is_refused",
        explanation="""Errors of the disk and an early end are expected, and no others. What stands in a damaged file makes torch raise
        nearly anything.""",
    ),
    mistake(
        "the path has to be a text",
        swap(PATH, '    path = Path("" + path)\n'),
        caught_by="test_the_file_gets_exactly_the_name_it_was_given",
        explanation="""A text is put together with the path. A path may be a `Path` too, to which nothing can be added.""",
    ),
    mistake(
        "a normal number late",
        swap(LOAD_RANDOM, LOAD_RANDOM + "        torch.randn(1)\n"),
        caught_by="test_random_numbers_go_on_where_they_were",
        explanation="""When the random numbers are back, one is drawn. Those that follow are no longer those of a run that never
        stopped.""",
    ),
]
