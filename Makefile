# Every target brings up .venv by itself, once. `make PY=python3 …` uses an interpreter that has the packages already;
# `python -m dojo VERB` does the same as `make VERB` where there is no make.

.DEFAULT_GOAL := board
.PHONY: board help start watch test hint solution reset judge progress update doctor bundle room data train sample runs write chat attention pictures report bench bench-train speedrun ablate submit grade gradescope stubs index verdicts check lint bench-loop mutants

VENV := .venv
-include .dojo/python.mk # in a folder that `dojo init` made: the Python that has the package
ifdef PY
PYTHON := $(PY)
READY :=
READY_DEV :=
READY_ROOM :=
READY_CHAT :=
else
PYTHON := $(VENV)/bin/python
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev
READY_ROOM := $(VENV)/.ready-room
READY_CHAT := $(VENV)/.ready-chat
endif
BOOTSTRAP := python3
DOJO := $(PYTHON) -m dojo
# What to type next is printed in this form, and not in that of `python -m dojo`.
export DOJO_DOOR := make

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(BOOTSTRAP) -c 'import sys; sys.exit("Python 3.10 or newer is needed: make BOOTSTRAP=python3.12" if sys.version_info < (3, 10) else 0)'
	@echo "Setting up $(VENV): once, and it takes some minutes."
	@$(BOOTSTRAP) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

# What only some verbs need: the extras of pyproject.toml.
$(VENV)/.ready-%: $(VENV)/.ready
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$*]'
	@touch $@

# The models that come as GGUF are read by a package that nothing else needs.
GGUF := $(if $(filter smollm2 %.gguf,$(WEIGHTS)),$(READY_CHAT),$(READY))

board: $(READY)
	@$(DOJO)

help: $(READY)
	@$(DOJO) --help

start: $(READY)
	@$(DOJO) start

# A NAME counts where it is typed: some systems have one in the environment, and it is the machine's.
watch: export ROOM := $(ROOM)
watch: export CODE := $(CODE)
watch: export NAME := $(if $(filter command,$(firstword $(origin NAME))),$(NAME))
watch: $(READY)
	@$(DOJO) watch $(KATA) $(if $(CODE),--code "$$CODE") $(if $(NAME),--name "$$NAME") $(if $(ROOM),--room "$$ROOM")

test: $(READY)
	@$(DOJO) test $(KATA) $(if $(TRACEBACK),--traceback)

hint: $(READY)
	@$(DOJO) hint $(KATA) $(if $(STEP),--step $(STEP))

solution: $(READY)
	@$(DOJO) solution $(KATA)

reset: $(READY)
	@$(DOJO) reset $(KATA)

judge: $(READY)
	@$(DOJO) judge $(if $(STOP),--stop)

progress: export EXPORT := $(EXPORT)
progress: export IMPORT := $(IMPORT)
progress: $(READY)
	@$(DOJO) progress $(if $(EXPORT),--export "$$EXPORT") $(if $(IMPORT),--import "$$IMPORT")

update: $(READY)
	@$(DOJO) update

# It is there for when setting up fails, so it sets nothing up and takes what Python there is.
doctor:
	@python=$(or $(PY),$(VENV)/bin/python); \
	"$$python" -c '' 2>/dev/null || python=$(BOOTSTRAP); \
	"$$python" -m dojo doctor

data: $(READY)
	@$(DOJO) data $(if $(WEIGHTS),--weights $(WEIGHTS))

train: export TEXT := $(TEXT)
train: export VALID := $(VALID)
train: export FROM := $(FROM)
train: $(READY)
	@$(DOJO) train $(PRESET) $(if $(IMPL),--impl $(IMPL)) $(if $(RESUME),--resume) $(if $(TEXT),--text "$$TEXT") \
		$(if $(VALID),--valid "$$VALID") $(if $(TOKENS),--tokens $(TOKENS)) $(if $(RUN),--run $(RUN)) \
		$(if $(DEVICE),--device $(DEVICE)) $(if $(DTYPE),--dtype $(DTYPE)) \
		$(if $(ACCUMULATE),--accumulate $(ACCUMULATE)) $(if $(PROCESSES),--processes $(PROCESSES)) \
		$(if $(FROM),--from "$$FROM") $(if $(LORA),--lora $(LORA)) $(if $(COMPILE),--compile) \
		$(if $(PARALLEL),--parallel $(PARALLEL)) $(if $(NODES),--nodes $(NODES)) $(if $(AT),--at $(AT))

sample: export PROMPT := $(PROMPT)
sample: $(READY)
	@$(DOJO) sample $(if $(PROMPT),--prompt "$$PROMPT") $(if $(or $(RUN),$(PRESET)),--run $(or $(RUN),$(PRESET))) $(if $(COUNT),--count $(COUNT))

write: export PROMPT := $(PROMPT)
write: $(GGUF)
	@$(DOJO) write $(if $(WEIGHTS),--weights "$(WEIGHTS)") $(if $(PROMPT),--prompt "$$PROMPT") \
		$(if $(LENGTH),--length $(LENGTH)) $(if $(SEED),--seed $(SEED))

chat: export PROMPT := $(PROMPT)
chat: $(READY_CHAT)
	@$(DOJO) chat $(if $(WEIGHTS),--weights "$(WEIGHTS)") $(if $(PROMPT),--prompt "$$PROMPT") \
		$(if $(LENGTH),--length $(LENGTH)) $(if $(SEED),--seed $(SEED))

runs: $(READY)
	@$(DOJO) runs $(if $(CLEAN),--clean $(CLEAN))

bench: $(READY)
	@$(DOJO) bench $(KATA) $(if $(DEVICE),--device $(DEVICE)) $(if $(DTYPE),--dtype $(DTYPE)) \
		$(if $(BUDGET),--budget $(BUDGET)) $(if $(QUICK),--quick) $(if $(RECORD),--record)

bench-train: export AGAINST := $(AGAINST)
bench-train: $(READY)
	@$(DOJO) bench-train $(if $(AGAINST),--against "$$AGAINST") $(if $(PAIRS),--pairs $(PAIRS)) $(if $(IMPL),--impl $(IMPL))

attention: export TEXT := $(TEXT)
attention: $(GGUF)
	@$(DOJO) attention $(if $(TEXT),--text "$$TEXT") $(if $(PRESET),--preset $(PRESET)) \
		$(if $(WEIGHTS),--weights "$(WEIGHTS)")

pictures: $(READY)
	@$(DOJO) pictures

report: export TEXT := $(TEXT)
report: $(READY)
	@$(DOJO) report $(if $(TEXT),--text "$$TEXT")

speedrun: export AGAINST := $(AGAINST)
speedrun: $(READY)
	@$(DOJO) speedrun $(FILE) $(if $(DEVICE),--device $(DEVICE)) $(if $(RECORD),--record) \
		$(if $(TARGET),--target $(TARGET)) $(if $(SEEDS),--seeds $(SEEDS)) \
		$(if $(AGAINST),--against "$$AGAINST") $(if $(PAIRS),--pairs $(PAIRS))

ablate: $(READY)
	@$(DOJO) ablate $(if $(SEEDS),--seeds $(SEEDS)) $(if $(ONLY),--only "$(ONLY)")

# For whoever leads a workshop.
bundle: export TO := $(TO)
bundle: $(READY)
	@$(DOJO) bundle "$$TO" $(if $(PLATFORMS),--platforms "$(PLATFORMS)") $(if $(PYTHONS),--pythons "$(PYTHONS)") \
		$(if $(DATA),--data "$(DATA)") $(if $(WEIGHTS),--weights "$(WEIGHTS)") $(if $(CUDA),--cuda)

room: $(READY_ROOM)
	@$(DOJO) room $(if $(PORT),--port $(PORT)) $(if $(NEW),--new)

submit: export OUT := $(OUT)
submit: $(READY)
	@$(DOJO) submit $(if $(OUT),--out "$$OUT")

# Several are given with spaces between.
grade: export OUT := $(OUT)
grade: $(READY)
	@$(DOJO) grade $(if $(FORMAT),--format $(FORMAT)) $(if $(OUT),--out "$$OUT") $(if $(KATA),--kata $(KATA)) \
		$(foreach each,$(POINTS),--points $(each)) $(if $(TRUST),--trust) $(SUBMISSIONS)

gradescope: export OUT := $(OUT)
gradescope: $(READY)
	@$(DOJO) gradescope $(if $(OUT),--out "$$OUT") $(if $(KATA),--kata $(KATA))

stubs: $(READY)
	@$(DOJO) stubs

index: $(READY)
	@$(DOJO) index $(KATA)

# For authors: write what is said of each submission in tests/verdicts whose text is not there yet.
verdicts: $(READY_DEV)
	@$(PYTHON) -m tests.dojo.test_verdicts

check: $(READY_DEV)
	@$(DOJO) check

lint: $(READY_DEV)
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@$(PYTHON) -c 'from importlinter.cli import lint_imports_command as lint; lint()' --no-logo

bench-loop: $(READY_DEV)
	@$(PYTHON) -m tests.benchmarks.loop

# For authors: change the solutions in every way that cosmic-ray knows; it takes long.
mutants: $(READY_DEV)
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check -c constraints.txt cosmic-ray
	@$(PYTHON) -m tests.mutants $(KATA)
