"""k17: what people get wrong about Muon, and about AdamW beside it."""

from dojo.spec import mistake, swap

MEAN = "mean = betas[0] * mean + (1 - betas[0]) * gradient"
SQUARE = "square = betas[1] * square + (1 - betas[1]) * gradient**2"
TRUE_MEAN = "true_mean = mean / (1 - betas[0] ** step)  # a running mean that began at 0 is too small at first"
TRUE_SQUARE = "true_square = square / (1 - betas[1] ** step)"
ADAM = "direction = true_mean / (true_square.sqrt() + eps)"
ADAM_MOVES = "weight = weight - lr * (direction + weight_decay * weight)"
ADAM_GIVES = "return weight, mean, square"
TALL = "tall = matrix.shape[0] > matrix.shape[1]"
TURNED = "X = matrix.T if tall else matrix  # (short, long)"
NORMALISED = "X = X / (X.norm() + 1e-12)"
GRAM = "A = X @ X.T  # (short, short)"
ITERATION = "X = a * X + (b * A + c * A @ A) @ X"
BACK = "return X.T if tall else X"
BUFFER = "buffer = momentum * buffer + gradient\n    direction"
LOOK_AHEAD = "direction = gradient + momentum * buffer if nesterov else buffer"
UPDATE = "update = newton_schulz(direction, steps) * max(1, rows / columns) ** 0.5"
MUON_MOVES = "weight = weight - lr * (update + weight_decay * weight)"
MUON_GIVES = "return weight, buffer"
SETTINGS = 'settings = {name: group[name] for name in ("lr", "momentum", "nesterov", "weight_decay", "steps")}'
SKIP = "                if weight.grad is None:\n                    continue\n"
STATE = "state = self.state[weight]"
KEPT = 'buffer = state.get("buffer", torch.zeros_like(weight))'
STEP = 'new, state["buffer"] = muon_step(weight, weight.grad, buffer, **settings)'
WRITTEN = "weight.copy_(new)  # the parameter stays the same object: the model holds it too"
REFUSE = "                if weight.ndim != 2:\n"

MISTAKES = [
    # Step 1
    mistake(
        "no bias correction",
        swap(TRUE_MEAN, "true_mean = mean"),
        swap(TRUE_SQUARE, "true_square = square"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""Mean and square are used as they are. They began at 0, so in the first steps both are far too small,
        and not by the same factor.""",
    ),
    mistake(
        "only the mean is corrected",
        swap(TRUE_SQUARE, "true_square = square"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The square is used as it is. It began at 0 and is too small at first, so the first steps are much too
        long.""",
    ),
    mistake(
        "only the square is corrected",
        swap(TRUE_MEAN, "true_mean = mean"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The mean is used as it is. It began at 0 and is too small at first, and so are the first steps.""",
    ),
    mistake(
        "steps are counted from 0",
        swap(TRUE_MEAN, "true_mean = mean / (1 - betas[0] ** (step + 1))"),
        swap(TRUE_SQUARE, "true_square = square / (1 - betas[1] ** (step + 1))"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The correction is that of the next step. The first step has number 1, and by then mean and square
        have taken in one gradient.""",
    ),
    mistake(
        "the correction is one step late",
        swap(TRUE_MEAN, "true_mean = mean / (1 - betas[0] ** max(1, step - 1))"),
        swap(TRUE_SQUARE, "true_square = square / (1 - betas[1] ** max(1, step - 1))"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The correction is that of the step before. By step number n, mean and square have taken in n
        gradients.""",
    ),
    mistake(
        "the corrected values are kept",
        swap(ADAM_GIVES, "return weight, true_mean, true_square"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""Mean and square are handed back after their correction. They would be corrected again in the next
        step, and again in each that follows.""",
    ),
    mistake(
        "the old mean is used",
        swap(TRUE_MEAN, "true_mean = (mean - (1 - betas[0]) * gradient) / betas[0] / (1 - betas[0] ** step)"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The step goes by the mean as it was before the gradient came in. The gradient belongs in first, then
        the step is taken.""",
    ),
    mistake(
        "the weight decay is in the gradient",
        swap(MEAN, "gradient = gradient + weight_decay * weight\n    " + MEAN),
        swap(ADAM_MOVES, "weight = weight - lr * direction"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The decay is added to the gradient, as in plain Adam. There the division flattens it; AdamW takes it
        off the weight directly.""",
    ),
    mistake(
        "the decay forgets the rate",
        swap(ADAM_MOVES, "weight = weight - lr * direction - weight_decay * weight"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The weight shrinks by the decay itself, whatever the rate. Rate times decay is what is taken
        off.""",
    ),
    mistake(
        "no weight decay at all",
        swap(ADAM_MOVES, "weight = weight - lr * direction"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""`weight_decay` is taken and not used. Besides its step, a weight shrinks a little each time.""",
    ),
    mistake(
        "the decay lets the weight grow",
        swap(ADAM_MOVES, "weight = weight - lr * (direction - weight_decay * weight)"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The decay has the wrong sign, and the weight moves away from 0. It is pulled towards 0.""",
    ),
    mistake(
        "AdamW climbs",
        swap(ADAM_MOVES, "weight = weight + lr * direction - lr * weight_decay * weight"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The step goes along the gradient, and the loss rises. Down is against the gradient.""",
    ),
    mistake(
        "eps under the root",
        swap(ADAM, "direction = true_mean / (true_square + eps).sqrt()"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""`eps` is added to the square, so its root is what counts, which is far larger. It is added to the
        root.""",
    ),
    mistake(
        "eps is left out",
        swap(ADAM, "direction = true_mean / true_square.sqrt()"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""Nothing is added to the root. Where a gradient has been 0 all along, 0 is divided by 0.""",
    ),
    mistake(
        "no root of the square",
        swap(ADAM, "direction = true_mean / (true_square + eps)"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The mean is divided by the mean square, and not by its root. Large gradients then make small steps,
        and small ones huge steps.""",
    ),
    mistake(
        "the gradient is not squared",
        swap(SQUARE, "square = betas[1] * square + (1 - betas[1]) * gradient"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The second running mean takes in the gradient itself. It is the mean of its square, which is never
        below 0 and so has a root.""",
    ),
    mistake(
        "the square of the mean",
        swap(SQUARE, "square = betas[1] * square + (1 - betas[1]) * mean**2"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The second running mean takes in the square of the first. It takes in the square of the gradient, so
        that one that flips its sign is known to be large.""",
    ),
    mistake(
        "the betas are swapped",
        swap(MEAN, "betas = betas[::-1]\n    " + MEAN),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The mean forgets as slowly as the square should, and the square as fast as the mean should. The
        first of the betas is for the mean.""",
    ),
    mistake(
        "beta on the wrong side",
        swap(MEAN, "mean = (1 - betas[0]) * mean + betas[0] * gradient"),
        swap(SQUARE, "square = (1 - betas[1]) * square + betas[1] * gradient**2"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The running means keep the small share and take in the large one, so they forget nearly all at each
        step. Beta is the share that is kept.""",
    ),
    mistake(
        "heavy-ball momentum in AdamW",
        swap(MEAN, "mean = betas[0] * mean + gradient"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The whole gradient is added to the mean, which then grows to ten times a gradient. A running mean
        takes in the share 1 − β.""",
    ),
    mistake(
        "mean and square change places",
        swap(ADAM_GIVES, "return weight, square, mean"),
        caught_by="test_a_step_of_adamw_follows_its_formula",
        explanation="""The square is handed back where the mean belongs. The order is weight, mean, square.""",
    ),
    mistake(
        "other settings than the usual ones for AdamW",
        swap("betas: tuple[float, float] = (0.9, 0.999)", "betas: tuple[float, float] = (0.9, 0.99)"),
        caught_by="test_adamw_has_its_usual_settings",
        explanation="""Where nobody says anything, the settings are not the usual ones. They stand in the signature of the
        stub.""",
    ),
    # Step 2
    mistake(
        "not normalised",
        swap(NORMALISED, "X = X * 1.0"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The iterations begin with the matrix as it is. Above 1 the polynomial sends a singular value far
        away, and in a few rounds to infinity.""",
    ),
    mistake(
        "each row is normalised",
        swap(NORMALISED, "X = X / (X.norm(dim=1, keepdim=True) + 1e-12)"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""Each row is divided by its own length. That changes the directions in the matrix; one number for the
        whole matrix leaves them.""",
    ),
    mistake(
        "each column is normalised",
        swap(NORMALISED, "X = X / (X.norm(dim=0, keepdim=True) + 1e-12)"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""Each column is divided by its own length. That changes the directions in the matrix; one number for
        the whole matrix leaves them.""",
    ),
    mistake(
        "divided by the largest entry",
        swap(NORMALISED, "X = X / (X.abs().max() + 1e-12)"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The matrix is divided by its largest entry, and singular values may still be far above 1. None is
        above the Frobenius norm.""",
    ),
    mistake(
        "divided by the squared norm",
        swap(NORMALISED, "X = X / (X.pow(2).sum() + 1e-12)"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The matrix is divided by the sum of its squares. The Frobenius norm is the root of that sum.""",
    ),
    mistake(
        "normalised in every round",
        swap(GRAM, "X = X / (X.norm() + 1e-12)\n        " + GRAM),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The matrix is divided by its norm again in each round. It is done once, before the first; after that
        the polynomial alone brings the values to 1.""",
    ),
    mistake(
        "zeros are divided by 0",
        swap(NORMALISED, "X = X / X.norm()"),
        caught_by="test_zeros_stay_zeros",
        explanation="""The norm of a matrix of zeros is 0, and 0 over 0 is NaN. A tiny number beside the norm avoids
        that.""",
    ),
    mistake(
        "a large number beside the norm",
        swap(NORMALISED, "X = X / (X.norm() + 1e-2)"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""What is added to the norm is no longer small beside a small gradient. The result then depends on the
        size of the matrix.""",
    ),
    mistake(
        "b without its sign",
        swap("a, b, c = coefficients", "a, b, c = coefficients\n    b = abs(b)"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The middle coefficient is taken as positive. It is what pulls large values down; without its sign
        everything grows.""",
    ),
    mistake(
        "a wrong digit in the coefficients",
        swap("(3.4445, -4.7750, 2.0315),\n)", "(3.4445, -4.7550, 2.0315),\n)"),
        caught_by="test_newton_schulz_has_its_usual_settings",
        explanation="""One of the coefficients is not the one that was asked for. Together they bring 1 back near 1, and a
        small change leads elsewhere.""",
    ),
    mistake(
        "the coefficients are fixed",
        swap("a, b, c = coefficients", "a, b, c = 3.4445, -4.7750, 2.0315"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The usual coefficients are used whatever is given. `coefficients` is there to try others.""",
    ),
    mistake(
        "the term of degree 5 is missing",
        swap(ITERATION, "X = a * X + b * A @ X"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""Only a·s + b·s³ is worked out. Without the fifth power the values are not brought near 1.""",
    ),
    mistake(
        "b and c change places",
        swap(ITERATION, "X = a * X + (c * A + b * A @ A) @ X"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""b stands before the fifth power and c before the third. b belongs to A, c to A @ A.""",
    ),
    mistake(
        "the power is taken entry by entry",
        swap(ITERATION, "X = a * X + (b * A + c * A**2) @ X"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""`A**2` squares each entry of A. It is the matrix product of A with itself that squares its singular
        values.""",
    ),
    mistake(
        "the cubes of the entries",
        swap(ITERATION, "X = a * X + b * X**3 + c * X**5"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The polynomial is applied to the entries of the matrix. It is meant for its singular values, and
        matrix products are what reaches those.""",
    ),
    mistake(
        "one iteration too many",
        swap("for _ in range(steps):", "for _ in range(steps + 1):"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""One iteration more is made than `steps` says.""",
    ),
    mistake(
        "always five iterations",
        swap("for _ in range(steps):", "for _ in range(5):"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""Five iterations are made, whatever `steps` says.""",
    ),
    mistake(
        "turned and not turned back",
        swap(BACK, "return X"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The result of a tall matrix is the transpose of what it should be. It has to come back in the shape in
        which it came.""",
    ),
    mistake(
        "the tall matrix is not turned",
        swap(TALL, "tall = False"),
        caught_by="test_no_tensor_is_larger_than_the_matrix",
        explanation="""For a tall matrix, X @ X.T is made on its long side: the result is right, and the products are far
        larger than they need be. Turned around first, the small side is the one that counts.""",
    ),
    mistake(
        "the wide matrix is turned",
        swap(TALL, "tall = matrix.shape[0] < matrix.shape[1]"),
        caught_by="test_no_tensor_is_larger_than_the_matrix",
        explanation="""The wide matrix is turned, and the tall one is not. Products are then made on the long side: right,
        and far larger than they need be.""",
    ),
    mistake(
        "worked out in bfloat16",
        swap(TURNED, "X = (matrix.T if tall else matrix).bfloat16()"),
        swap(BACK, "return (X.T if tall else X).to(matrix.dtype)"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The iterations run in bfloat16, which has three digits. On a GPU that is fast and good enough; here
        the dtype of the matrix is asked for.""",
    ),
    mistake(
        "the correction is divided by the norm",
        swap(GRAM, "A = X.T @ X"),
        swap(ITERATION, "X = a * X + X @ (b * A + c * A @ A) / X.norm()"),
        caught_by="test_each_singular_value_goes_through_the_polynomial",
        explanation="""The correction is divided by the norm of the matrix. The norm is taken out once, before the first
        iteration.""",
    ),
    # Step 3
    mistake(
        "Muon climbs",
        swap(MUON_MOVES, "weight = weight + lr * update - lr * weight_decay * weight"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The step goes along the gradient, and the loss rises. Down is against the gradient.""",
    ),
    mistake(
        "nothing is orthogonalised",
        swap(UPDATE, "update = direction * max(1, rows / columns) ** 0.5"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The momentum itself is the step, as in SGD. What makes it Muon is `newton_schulz`.""",
    ),
    mistake(
        "momentum of what was orthogonalised",
        swap(BUFFER, "buffer = momentum * buffer + newton_schulz(gradient, steps)\n    direction"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The gradient is orthogonalised before it goes into the buffer. The buffer gathers gradients as they
        are, and their sum is orthogonalised.""",
    ),
    mistake(
        "the buffer keeps the step",
        swap(MUON_GIVES, "return weight, update"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""What was orthogonalised is handed on as the buffer. The buffer is the sum of the gradients, before
        that.""",
    ),
    mistake(
        "the buffer keeps the look ahead",
        swap(MUON_GIVES, "return weight, direction"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""With Nesterov's form the direction looks one step ahead of the buffer, and here it takes the place of
        the buffer. The buffer is what the next step begins with.""",
    ),
    mistake(
        "no momentum",
        swap(LOOK_AHEAD, "direction = gradient"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The step goes by this gradient alone. The buffer is worked out and plays no part in it.""",
    ),
    mistake(
        "always Nesterov",
        swap(LOOK_AHEAD, "direction = gradient + momentum * buffer"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The direction looks ahead also where `nesterov` is False. Then it is the buffer as it is.""",
    ),
    mistake(
        "never Nesterov",
        swap(LOOK_AHEAD, "direction = buffer"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The direction is the buffer also where `nesterov` is True, as it is too with gradient + momentum times
        the old buffer. It is the new buffer that looks one step ahead.""",
    ),
    mistake(
        "Nesterov the other way round",
        swap(LOOK_AHEAD, "direction = buffer if nesterov else gradient + momentum * buffer"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The two forms have changed places. It is with `nesterov` that the direction looks ahead.""",
    ),
    mistake(
        "the whole buffer ahead",
        swap(LOOK_AHEAD, "direction = gradient + buffer if nesterov else buffer"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The look ahead adds the buffer whole. It adds momentum times the buffer, which is what the next step
        would keep of it.""",
    ),
    mistake(
        "a running mean for a buffer",
        swap(BUFFER, "buffer = momentum * buffer + (1 - momentum) * gradient\n    direction"),
        swap(LOOK_AHEAD, "direction = (1 - momentum) * gradient + momentum * buffer if nesterov else buffer"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The buffer is a running mean, as in AdamW. The steps are the same, since their size drops out; the
        buffer that was asked for is the sum.""",
    ),
    mistake(
        "no longer step for tall matrices",
        swap(UPDATE, "update = newton_schulz(direction, steps)"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""Every matrix takes a step of one size, as it does too where the factor goes into `newton_schulz`. A
        matrix with more rows than columns takes a longer one.""",
    ),
    mistake(
        "a shorter step for wide matrices",
        swap(UPDATE, "update = newton_schulz(direction, steps) * (rows / columns) ** 0.5"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""Wide matrices take shorter steps than the others. The factor is never below 1.""",
    ),
    mistake(
        "rows and columns are swapped",
        swap(UPDATE, "update = newton_schulz(direction, steps) * max(1, columns / rows) ** 0.5"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""Wide matrices take the longer step. It is for matrices with more rows than columns.""",
    ),
    mistake(
        "the factor without its root",
        swap(UPDATE, "update = newton_schulz(direction, steps) * max(1, rows / columns)"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""A tall matrix takes a step that is m/n times as long. It is the root of that.""",
    ),
    mistake(
        "the steps are not handed on",
        swap(UPDATE, "update = newton_schulz(direction) * max(1, rows / columns) ** 0.5"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""`steps` is taken and not handed to `newton_schulz`. Five iterations are made whatever it
        says.""",
    ),
    mistake(
        "Muon's decay is in the gradient",
        swap(
            BUFFER,
            "gradient = gradient + weight_decay * weight\n    buffer = momentum * buffer + gradient\n    direction",
        ),
        swap(MUON_MOVES, "weight = weight - lr * update"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The decay is added to the gradient and orthogonalised with it, where its size is lost. It is taken
        off the weight directly.""",
    ),
    mistake(
        "Muon's decay is orthogonalised",
        swap(
            UPDATE, "update = newton_schulz(direction + weight_decay * weight, steps) * max(1, rows / columns) ** 0.5"
        ),
        swap(MUON_MOVES, "weight = weight - lr * update"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The decay goes through `newton_schulz` together with the momentum, and its size is lost there. It is
        taken off the weight directly.""",
    ),
    mistake(
        "Muon's decay forgets the rate",
        swap(MUON_MOVES, "weight = weight - lr * update - weight_decay * weight"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""The weight shrinks by the decay itself, whatever the rate. Rate times decay is what is taken
        off.""",
    ),
    mistake(
        "Muon without decay",
        swap(MUON_MOVES, "weight = weight - lr * update"),
        caught_by="test_steps_of_muon_equal_the_loop",
        explanation="""`weight_decay` is taken and not used. Besides its step, a weight shrinks a little each time.""",
    ),
    mistake(
        "other settings than the usual ones for a step of Muon",
        swap(
            "    momentum: float = 0.95,\n    nesterov: bool = True,\n    weight_decay: float = 0.0,\n    steps: int = 5,\n) -> tuple",
            "    momentum: float = 0.9,\n    nesterov: bool = True,\n    weight_decay: float = 0.0,\n    steps: int = 5,\n) -> tuple",
        ),
        caught_by="test_muon_has_its_usual_settings",
        explanation="""Where nobody says anything, the settings are not the usual ones. They stand in the signature of the
        stub.""",
    ),
    # Step 4
    mistake(
        "the buffer is not kept",
        swap(STEP, "new, _ = muon_step(weight, weight.grad, buffer, **settings)"),
        caught_by="test_the_optimizer_takes_the_steps_of_the_loop",
        explanation="""Each step begins with a buffer of zeros. What `muon_step` gives back as the buffer has to be there
        for the next.""",
    ),
    mistake(
        "one buffer for all",
        swap(STATE, "state = self.__dict__.setdefault('kept', {}).setdefault(tuple(weight.shape), {})"),
        caught_by="test_the_optimizer_takes_the_steps_of_the_loop",
        explanation="""Parameters of one shape share a buffer, and each adds its gradients to those of the others. Every
        parameter needs its own.""",
    ),
    mistake(
        "the buffer is kept past the state",
        swap(STATE, "state = self.__dict__.setdefault('kept', {}).setdefault(id(weight), {})"),
        caught_by="test_a_resumed_run_goes_on_as_if_never_stopped",
        explanation="""The buffers are kept where `state_dict` does not look. Whoever saves the optimizer saves it without
        them.""",
    ),
    mistake(
        "the model keeps the old weight",
        swap(WRITTEN, "weight = new"),
        caught_by="test_the_optimizer_takes_the_steps_of_the_loop",
        explanation="""The new weight gets a name in the loop, and is gone after it. The parameter that the model holds has to
        be changed itself.""",
    ),
    mistake(
        "gradients are followed through the step",
        swap("    @torch.no_grad()\n    def step", "    def step"),
        caught_by="test_the_optimizer_takes_the_steps_of_the_loop",
        explanation="""The step is recorded by autograd, which forbids a change of a parameter in place. An update is not
        part of what is differentiated.""",
    ),
    mistake(
        "only the first group",
        swap(
            "for group in self.param_groups:\n            settings",
            "for group in self.param_groups[:1]:\n            settings",
        ),
        caught_by="test_each_group_has_settings_of_its_own",
        explanation="""Only the parameters of the first group move. There may be several groups.""",
    ),
    mistake(
        "the settings of the whole",
        swap(SETTINGS, SETTINGS.replace("group[name]", "self.defaults[name]")),
        caught_by="test_each_group_has_settings_of_its_own",
        explanation="""All parameters go by the settings that the optimizer was made with. Each group may have its own, and a
        schedule changes the rate there.""",
    ),
    mistake(
        "the rate stays what it was",
        swap(SETTINGS, SETTINGS + '\n            settings["lr"] = self.defaults["lr"]'),
        caught_by="test_each_group_has_settings_of_its_own",
        explanation="""The rate is always the one that the optimizer was made with. A schedule writes it into each
        group.""",
    ),
    mistake(
        "a setting is forgotten",
        swap(SETTINGS, SETTINGS.replace('"nesterov", ', "")),
        caught_by="test_the_optimizer_takes_the_steps_of_the_loop",
        explanation="""`nesterov` is taken by the optimizer and not handed to the step, which then goes by its own
        default.""",
    ),
    mistake(
        "the decay is forgotten",
        swap(SETTINGS, SETTINGS.replace('"weight_decay", ', "")),
        caught_by="test_the_optimizer_takes_the_steps_of_the_loop",
        explanation="""`weight_decay` is taken by the optimizer and not handed to the step, where it is then 0.""",
    ),
    mistake(
        "the optimizer forgets the iterations",
        swap(SETTINGS, SETTINGS.replace(', "steps"', "")),
        caught_by="test_the_optimizer_takes_the_steps_of_the_loop",
        explanation="""`steps` is taken by the optimizer and not handed to the step, which then makes five
        iterations.""",
    ),
    mistake(
        "a missing gradient is not expected",
        swap(SKIP, ""),
        caught_by="test_a_parameter_without_a_gradient_is_left_alone",
        explanation="""A parameter that took no part in the loss has None for a gradient, and the step stumbles over it.
        Such a parameter is skipped.""",
    ),
    mistake(
        "a missing gradient counts as zeros",
        swap(SKIP, SKIP.replace("continue", "weight.grad = torch.zeros_like(weight)")),
        caught_by="test_a_parameter_without_a_gradient_is_left_alone",
        explanation="""A parameter without a gradient still decays and moves on with its momentum. It is skipped whole.""",
    ),
    mistake(
        "a missing gradient ends the step",
        swap(SKIP, SKIP.replace("continue", "return")),
        caught_by="test_a_parameter_without_a_gradient_is_left_alone",
        explanation="""At the first parameter without a gradient the whole step ends. The others have theirs and should
        move.""",
    ),
    mistake(
        "a skipped parameter loses its buffer",
        swap(SKIP, SKIP.replace("continue", "self.state.pop(weight, None)\n                    continue")),
        caught_by="test_a_parameter_without_a_gradient_is_left_alone",
        explanation="""The buffer of a parameter without a gradient is thrown away. It goes on from there when it has one
        again.""",
    ),
    mistake(
        "the gradient is the buffer",
        swap(STEP, STEP + "\n                weight.grad.copy_(state['buffer'])"),
        caught_by="test_gradients_are_left_as_they_are",
        explanation="""The gradient is overwritten by what the step made of it. Whoever measures or clips gradients afterwards
        finds other numbers.""",
    ),
    mistake(
        "gradients are gone after the step",
        swap(WRITTEN, WRITTEN + "\n                weight.grad.zero_()"),
        caught_by="test_gradients_are_left_as_they_are",
        explanation="""The step clears the gradients. That is what `zero_grad` is for, and the loop calls it.""",
    ),
    mistake(
        "anything is taken for a matrix",
        swap(REFUSE, "                if False:\n"),
        caught_by="test_what_is_no_matrix_is_refused",
        explanation="""A bias or a norm's weight is accepted, and the first step fails somewhere inside. Told at once, with
        the shape, everybody knows which one it was.""",
    ),
    mistake(
        "only vectors are refused",
        swap(REFUSE, "                if weight.ndim == 1:\n"),
        caught_by="test_what_is_no_matrix_is_refused",
        explanation="""Vectors are refused and tensors of three dimensions are not. Muon is for matrices alone.""",
    ),
    mistake(
        "other settings than the usual ones for Muon",
        swap("params: Iterable,\n        lr: float = 0.02", "params: Iterable,\n        lr: float = 1e-3"),
        caught_by="test_the_optimizer_has_its_usual_settings",
        explanation="""Where nobody says anything, the settings are not the usual ones. They stand in the signature of the
        stub.""",
    ),
]
