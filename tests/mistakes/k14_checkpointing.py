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
]
