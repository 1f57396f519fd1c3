"""What a submission that is graded may import, name and define. Data alone: `policy` and `guards` hold to it.

Of a module a submission gets a view: the names that the module defines itself, without other modules, without what
starts with an underscore, without metaclasses, and without what is denied here.
"""

from __future__ import annotations

from collections.abc import Mapping

ALL: frozenset[str] = frozenset()  # every name that the module defines itself


def _only(names: str) -> frozenset[str]:
    return frozenset(names.split())


# By module, the names of it that a submission has.
MODULES: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        ["math", "cmath", "random", "statistics", "fractions", "decimal", "numbers", "itertools", "functools"]
        + ["operator", "collections", "collections.abc", "heapq", "bisect", "array", "copy", "dataclasses", "typing"]
        + ["string", "re", "textwrap", "struct", "json", "time", "datetime", "contextlib", "io", "hashlib", "zlib"]
        + ["base64", "regex", "pathlib", "queue", "unicodedata", "pprint", "numpy", "numpy.linalg", "numpy.random"]
        + ["numpy.ma", "numpy.fft"],
        ALL,
    ),
    "abc": _only("ABC abstractmethod"),
    "enum": _only("Enum IntEnum Flag auto unique"),
    "types": _only("SimpleNamespace MappingProxyType"),
    "warnings": _only("warn catch_warnings simplefilter filterwarnings"),
    "uuid": _only("UUID uuid4 uuid5"),
    "sys": _only("float_info maxsize version_info byteorder getsizeof intern"),
    "os": _only(
        "PathLike fspath fsync fdopen fstat stat replace rename remove unlink mkdir makedirs rmdir listdir scandir "
        "getcwd getpid linesep sep cpu_count"
    ),
    "os.path": ALL,
    "tempfile": _only("mkstemp mkdtemp NamedTemporaryFile TemporaryDirectory TemporaryFile gettempdir"),
    "shutil": _only("copy copy2 copyfile copyfileobj move rmtree disk_usage"),
    "mmap": _only("mmap ACCESS_READ ACCESS_COPY ACCESS_WRITE PROT_READ MAP_PRIVATE MAP_SHARED PAGESIZE"),
    "threading": _only("Thread Lock RLock Event Condition Barrier Semaphore BoundedSemaphore local BrokenBarrierError"),
    "concurrent": ALL,
    "concurrent.futures": _only("ThreadPoolExecutor Future wait as_completed FIRST_COMPLETED FIRST_EXCEPTION"),
    "jaxtyping": _only("Float Float32 Float64 Int Int64 Int32 Bool Shaped Num Real Complex UInt8 Integer Inexact"),
    "safetensors": _only("SafetensorError"),
    "safetensors.torch": _only("load save load_file save_file"),
    **dict.fromkeys(["matplotlib", "matplotlib.figure", "matplotlib.axes", "matplotlib.ticker", "matplotlib.cm"], ALL),
    **dict.fromkeys(["matplotlib.pyplot", "matplotlib.colors", "matplotlib.lines", "matplotlib.patches"], ALL),
    **dict.fromkeys(
        ["torch", "torch.nn", "torch.nn.functional", "torch.nn.init", "torch.nn.parameter", "torch.nn.utils"]
        + ["torch.optim", "torch.optim.lr_scheduler", "torch.linalg", "torch.special", "torch.fft", "torch.autograd"]
        + ["torch.random", "torch.distributions", "torch.autograd.function", "torch.autograd.functional", "torch.func"]
        + ["torch.types", "torch.cuda", "torch.mps", "torch.backends", "torch.distributed"],
        ALL,
    ),
    "torch.nn.utils.rnn": ALL,
    "torch.nn.modules": ALL,
    "torch.nn.modules.module": _only("Module register_module_forward_hook"),
    "torch.nn.attention": _only("SDPBackend sdpa_kernel"),
    "torch.optim.optimizer": _only("Optimizer required"),
    "torch.utils": ALL,
    "torch.utils.data": _only("Dataset IterableDataset TensorDataset Subset DataLoader"),
    "torch.utils.checkpoint": _only("checkpoint"),
}

# Packages that have access to memory by its address, and the katas whose contract wants them nevertheless.
ONLY_IN: Mapping[str, tuple[str, ...]] = {"numpy": ("k01", "k15", "k22"), "matplotlib": ("k15",)}


def closed_in(code: str) -> frozenset[str]:
    """The packages that a kata does without; "numpy" is a method of tensors too."""
    return frozenset(package for package, katas in ONLY_IN.items() if code not in katas)


# Of these modules, names that a submission does not have.
DENIED: Mapping[str, frozenset[str]] = {
    "torch": _only(
        "set_default_device set_default_tensor_type compile jit_compile import_ir_module import_ir_module_from_buffer "
        "DisableTorchFunction DisableTorchFunctionSubclass PyTorchFileReader PyTorchFileWriter CompilationUnit "
        "ScriptModule ScriptFunction ScriptFile Graph Node parse_ir parse_schema fork wait cond while_loop vmap_ "
        "set_autocast_enabled set_flush_denormal set_deterministic_debug_mode use_deterministic_algorithms "
        "set_warn_always register_dispatch_fallback TensorTypeBase classproperty StorageBase "
        "get_file_path merge_type_from_type_comment UntypedStorage TypedStorage FloatStorage DoubleStorage HalfStorage "
        "BFloat16Storage LongStorage IntStorage ShortStorage CharStorage ByteStorage BoolStorage"
    ),
    "torch.autograd": _only("FunctionMeta profiler detect_anomaly set_detect_anomaly kineto_available"),
    "torch.nn": _only("factory_kwargs DataParallel"),
    "torch.nn.functional": _only("boolean_dispatch handle_torch_function"),
    "torch.distributed": _only(
        "all_gather_object gather_object scatter_object_list broadcast_object_list send_object_list "
        "recv_object_list run_rank_local breakpoint reduce_op"
    ),
    "torch.cuda": _only("CUDAPluggableAllocator change_current_allocator"),
    "typing": _only("get_origin get_type_hints no_type_check_decorator NamedTupleMeta evaluate_forward_ref ForwardRef"),
    "functools": _only("update_wrapper wraps total_ordering singledispatch singledispatchmethod"),
    "dataclasses": _only("make_dataclass dataclass"),
    "operator": _only("attrgetter methodcaller"),
    "contextlib": _only("redirect_stdout redirect_stderr chdir"),
    "string": _only("Formatter Template"),
    "io": _only("FileIO open open_code"),
    "copy": _only("copyreg"),
    "collections": _only("UserString UserDict UserList"),
    "numpy": _only(
        "recarray chararray matrix asmatrix load save savez savez_compressed loadtxt savetxt genfromtxt fromregex "
        "memmap DataSource seterrcall "
        "setbufsize get_include show_config show_runtime set_string_function from_dlpack"
    ),
    "numpy.ma": _only("MaskedArray mrecords"),
    "matplotlib.pyplot": _only("switch_backend install_repl_displayhook uninstall_repl_displayhook connect"),
    "matplotlib": _only("use rc_file rc_params_from_file interactive"),
}

# Attributes that nobody reads or sets: they lead from a value to frames, code, or modules that are not views.
FRAMES = _only(
    "f_back f_builtins f_code f_globals f_locals f_trace gi_frame gi_code gi_yieldfrom cr_frame cr_code cr_await "
    "ag_frame ag_code ag_await tb_frame tb_next tb_lasti func_globals func_code func_closure"
)
MODULE_NAMES = _only(
    "os sys builtins gc inspect ctypes importlib subprocess multiprocessing pickle marshal posix nt pty socket atexit "
    "linecache runpy codeop pkgutil zipimport faulthandler tracemalloc weakref copyreg reducer shutil tempfile "
    "cffi multiprocessing_context cpp_extension load_library system popen _getframe settrace setprofile"
)
HOOKS = _only("register_hook register_post_accumulate_grad_hook register_multi_grad_hook register_fake")

# Names between double underscores that a submission may read, as attributes.
READABLE = _only(
    "__init__ __name__ __qualname__ __doc__ __len__ __getitem__ __setitem__ __delitem__ __contains__ __iter__ "
    "__next__ __call__ __enter__ __exit__ __repr__ __str__ __lt__ __le__ __gt__ __ge__ __eq__ __ne__ __hash__ "
    "__add__ __sub__ __mul__ __matmul__ __truediv__ __floordiv__ __mod__ __pow__ __neg__ __abs__ __and__ __or__ "
    "__xor__ __invert__ __radd__ __rsub__ __rmul__ __iadd__ __isub__ __imul__ __index__ __int__ __float__ __bool__ "
    "__post_init__ __new__ __fspath__ __missing__ __reversed__ __version__ __metadata__"
)
# Those that its classes may define: none of them lets a class pass for another, or equal what it is compared with.
METHODS = (READABLE - _only("__eq__ __ne__ __name__ __qualname__")) | _only(
    "__getattr__ __slots__ __annotations__ __match_args__ __deepcopy__ __copy__ __constants__ __format__"
)
NAMES = _only("__name__ __doc__ __file__ __debug__ __all__ __version__ __author__")  # and those it may use as they are

# What a class derived from int, str, list, … may have of its own under a name that these have.
SHADOWS = _only(
    "__new__ __init__ __repr__ __str__ __getnewargs__ __doc__ __module__ __missing__ __lt__ __hash__ __slots__ "
    "__dict__ __weakref__ __format__ __annotations__ __class_getitem__ __init_subclass__ __getstate__ __orig_bases__"
)
# Builtins that a submission does not have, and those that it has in a guarded form; all others it has as they are.
ABSENT = {
    "eval": "runs text as code",
    "exec": "runs text as code",
    "compile": "runs text as code",
    "globals": "looks at names that are not its own",
    "locals": "looks at names that are not its own",
    "breakpoint": "starts a debugger",
    "input": "waits for input",
    "help": "starts a pager",
    "exit": "ends the program",
    "quit": "ends the program",
}
