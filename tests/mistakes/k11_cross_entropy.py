"""k11: what people get wrong about cross-entropy and perplexity."""

from dojo.spec import family, mistake, swap

SHIFTED = "shifted = logits - logits.amax(dim=-1, keepdim=True)  # the largest is 0, so exp never overflows"
DIFFERENCE = "return shifted - shifted.exp().sum(dim=-1, keepdim=True).log()"
LOG_PROBS = "log_probs = log_softmax(logits)  # (B, T, V)"
PICKED = "picked = log_probs.gather(-1, targets.unsqueeze(-1))  # (B, T, 1)"
MEAN = "return -picked.mean()"
PERPLEXITY = "return loss.exp() if isinstance(loss, Tensor) else math.exp(loss)"
EVAL = "model.eval()\n    total"
NO_GRAD = "with torch.no_grad():"
ADD = "total += cross_entropy(model(x), y).item() * y.numel()"
COUNT = "                tokens += y.numel()"
RESTORE = "    finally:\n        model.train(was_training)"
RESULT = "return total / tokens"

LOG = "log_softmax_is_the_logarithm_of_softmax"
LOSS = "loss_is_the_mean_of_minus_ln_p"
FLOAT = "perplexity_of_a_float_is_a_float"
TENSOR = "perplexity_of_a_tensor_is_a_tensor"
CORPUS = "corpus_loss_is_the_mean_over_all_tokens"


def one(name, old, new, caught_by, explanation):
    """A mistake of one swap."""
    return mistake(name, swap(old, new), caught_by=f"test_{caught_by}", explanation=explanation)


MISTAKES = [
    # Step 1
    one(
        "the logarithm of a finished softmax",
        DIFFERENCE,
        "return torch.softmax(logits, dim=-1).log()",
        "huge_logits_give_finite_results",
        """The probabilities are made first and then their logarithm. A probability that is too small for a float is 0, and
        its logarithm is -inf.""",
    ),
    one(
        "exp overflows",
        SHIFTED,
        "shifted = logits",
        "huge_logits_give_finite_results",
        """The exponentials are taken of the logits as they are. From 89 on a float32 has no place for the result.""",
    ),
    one(
        "one maximum for all tokens",
        SHIFTED,
        "shifted = logits - logits.max()",
        "rows_far_apart_do_not_disturb_each_other",
        """The largest logit of the whole tensor is taken off everywhere. Where a token's logits are far below it, all its
        exponentials round to 0.""",
    ),
    one(
        "less than the maximum is taken off",
        SHIFTED,
        "shifted = logits - logits.mean(dim=-1, keepdim=True)",
        "huge_logits_give_finite_results",
        """The logits are shifted by less than the largest of them, their mean or their minimum. Those above it may still be
        far too large for `exp`.""",
    ),
    one(
        "the largest size is taken off",
        SHIFTED,
        "shifted = logits - logits.abs().amax(dim=-1, keepdim=True)",
        "huge_logits_give_finite_results",
        """The logits are shifted by the largest absolute value. Where that belongs to a negative logit, all exponentials may
        round to 0, and the logarithm of their sum is -inf.""",
    ),
    one(
        "exp overflows before it is divided",
        DIFFERENCE,
        "return (logits.exp() / logits.exp().sum(dim=-1, keepdim=True)).log()",
        "huge_logits_give_finite_results",
        """The exponentials of the logits as they are go into a fraction. From 89 on a float32 has no place for them, and
        infinity divided by infinity is NaN.""",
    ),
    one(
        "no logarithm",
        DIFFERENCE,
        "return torch.softmax(logits, dim=-1)",
        LOG,
        """What comes back are the probabilities. Their logarithms are asked for, none of which is above 0.""",
    ),
    one(
        "the sign is turned round",
        DIFFERENCE,
        "return shifted.exp().sum(dim=-1, keepdim=True).log() - shifted",
        LOG,
        """The result is the negative of what is asked for. A logarithm of a probability is never above 0; the minus comes
        with the loss.""",
    ),
    one(
        "no logarithm of the sum",
        DIFFERENCE,
        "return shifted - shifted.exp().sum(dim=-1, keepdim=True)",
        LOG,
        """The sum of the exponentials is subtracted as it is. Dividing by a sum becomes subtracting its logarithm.""",
    ),
    one(
        "the shift is undone on one side",
        DIFFERENCE,
        DIFFERENCE.replace("return shifted -", "return logits -"),
        LOG,
        """The logarithm of the shifted sum is subtracted from logits that are not shifted. Both sides have to be shifted, or
        the maximum added again.""",
    ),
    one(
        "the mean of the exponentials",
        DIFFERENCE,
        DIFFERENCE.replace(".sum(", ".mean("),
        LOG,
        """The exponentials are averaged where they have to be summed. The probabilities then sum to V.""",
    ),
    one(
        "base 2 (log_softmax)",
        DIFFERENCE,
        "return torch.softmax(logits, dim=-1).log2()",
        LOG,
        """The logarithm is the one to base 2. That counts in bits; here everything is in nats, to base e.""",
    ),
    one(
        "base 10 (log_softmax)",
        DIFFERENCE,
        "return torch.softmax(logits, dim=-1).log10()",
        LOG,
        """The logarithm is the one to base 10. Here everything is in nats, to base e, which is `log`.""",
    ),
    mistake(
        "over the first dimension",
        swap(SHIFTED, SHIFTED.replace("dim=-1", "dim=0")),
        swap(DIFFERENCE, DIFFERENCE.replace("dim=-1", "dim=0")),
        caught_by="test_log_softmax_is_the_logarithm_of_softmax",
        explanation="""The probabilities sum to 1 along the first dimension, over the batch. It is the tokens of the
        vocabulary that compete, along the last one.""",
    ),
    mistake(
        "over the second dimension",
        swap(SHIFTED, SHIFTED.replace("dim=-1", "dim=min(1, logits.ndim - 1)")),
        swap(DIFFERENCE, DIFFERENCE.replace("dim=-1", "dim=min(1, logits.ndim - 1)")),
        caught_by="test_log_softmax_is_the_logarithm_of_softmax",
        explanation="""The probabilities sum to 1 along dimension 1, which with three dimensions is that of the positions. It
        is the tokens of the vocabulary that compete, along the last one.""",
    ),
    one(
        "one sum for all tokens",
        DIFFERENCE,
        DIFFERENCE.replace("sum(dim=-1, keepdim=True)", "sum()"),
        LOG,
        """The exponentials of all tokens are summed together. Each token has probabilities of its own that sum to 1.""",
    ),
    one(
        "the reduced dimension is lost",
        DIFFERENCE,
        DIFFERENCE.replace(", keepdim=True", ""),
        LOG,
        """The sum loses its last dimension, and is then subtracted along another one, if it fits at all. `keepdim=True` leaves
        a dimension of size 1.""",
    ),
    one(
        "the logits are shifted in place",
        SHIFTED,
        "shifted = logits.detach().sub_(logits.detach().amax(dim=-1, keepdim=True)) + (logits - logits.detach())",
        "log_softmax_leaves_the_logits_alone",
        """The maximum is taken off the tensor that was handed over. Whoever called still holds that tensor, and finds it
        changed.""",
    ),
    # Step 2
    one(
        "softmax before the loss",
        LOG_PROBS,
        "log_probs = log_softmax(torch.softmax(logits, dim=-1))",
        LOSS,
        """The logits go through a softmax before the log-softmax, which contains one already. However sure a model is, its
        loss cannot come near 0 any more.""",
    ),
    one(
        "the logarithm is taken of probabilities again",
        MEAN,
        "return -picked.exp().log().mean()",
        "huge_logits_give_a_finite_loss",
        """The loss goes by way of the probability of the target and takes its logarithm. A probability too small for a float
        is 0, and the loss infinite, though the logarithm had been there.""",
    ),
    one(
        "the logits themselves are picked",
        LOG_PROBS,
        "log_probs = logits",
        LOSS,
        """The logit of the target is taken for the logarithm of its probability. It is one only when the logarithm of the sum
        over the vocabulary has been taken off.""",
    ),
    one(
        "the tokens of a text compete",
        LOG_PROBS,
        "log_probs = log_softmax(logits.transpose(-1, -2)).transpose(-1, -2)",
        LOSS,
        """The probabilities sum to 1 over the positions. At each position it is the tokens of the vocabulary that compete,
        along the last dimension.""",
    ),
    one(
        "a sum instead of a mean",
        MEAN,
        "return -picked.sum()",
        LOSS,
        """The losses of all tokens are added up. A batch twice as big would have twice the loss, and gradients twice as
        large.""",
    ),
    one(
        "a mean over the batch only",
        MEAN,
        "return -picked.sum() / len(targets)",
        "uniform_logits_give_ln_V",
        """The sum is divided by the number of sequences. Each sequence has T tokens, and every one of them counts.""",
    ),
    one(
        "a mean over the tokens of a text only",
        MEAN,
        "return -picked.sum() / targets.shape[-1]",
        "every_token_counts_the_same",
        """The sum of all losses is divided by T, not by B · T. The loss then grows with the number of texts in the
        batch.""",
    ),
    one(
        "a mean over the vocabulary too",
        MEAN,
        "return -picked.sum() / log_probs.numel()",
        LOSS,
        """The sum is divided by B·T·V, as if each logit had a loss. There is one number for each token: that of its
        target.""",
    ),
    one(
        "a loss for each token",
        MEAN,
        "return -picked.squeeze(-1)",
        LOSS,
        """Each token's loss comes back by itself. Training needs one number: their mean.""",
    ),
    one(
        "the loss keeps a dimension",
        MEAN,
        "return -picked.flatten(0, -2).mean(dim=0)",
        LOSS,
        """The loss comes as a tensor of one dimension with one number in it, (1,). One number has no dimension.""",
    ),
    one(
        "the minus is missing",
        MEAN,
        "return picked.mean()",
        LOSS,
        """The mean of the logarithms is handed back as it is, and is never above 0. A loss is what gets smaller as the model
        gets better.""",
    ),
    one(
        "the logarithm of the mean",
        MEAN,
        "return -picked.exp().mean().log()",
        LOSS,
        """The probabilities are averaged and then the logarithm is taken. It is the logarithms that are averaged, so that one
        token that was thought impossible costs a lot.""",
    ),
    one(
        "no logarithm in the loss",
        MEAN,
        "return (1 - picked.exp()).mean()",
        LOSS,
        """The loss is what the probabilities lack to 1. Such a loss hardly minds a target that was thought impossible.""",
    ),
    one(
        "minus the probability",
        MEAN,
        "return -picked.exp().mean()",
        LOSS,
        """The loss is the probability of the target with a minus. Its logarithm is missing, so that being sure and wrong costs
        hardly more than being in doubt.""",
    ),
    one(
        "the other tokens are charged as well",
        MEAN,
        "rest = log_probs.exp().scatter(-1, targets.unsqueeze(-1), 0.0)\n"
        "    return -(picked + (1 - rest).log().sum(dim=-1, keepdim=True)).mean()",
        LOSS,
        """Besides the target every other token adds −ln(1 − p), as in binary cross-entropy. Here one token is right, and its
        probability says all.""",
    ),
    one(
        "base 2 (cross_entropy)",
        MEAN,
        "return -picked.mean() / math.log(2)",
        LOSS,
        """The loss is counted in bits, to base 2. Bits are a fair unit, but here everything is in nats.""",
    ),
    one(
        "the targets are shifted again",
        LOG_PROBS,
        "logits, targets = logits[..., :-1, :], targets[..., 1:]\n    " + LOG_PROBS,
        LOSS,
        """Each logit is compared with the target of the next position. The targets are the next tokens already: they were
        moved when the batch was made.""",
    ),
    one(
        "reshaped where a transpose is meant",
        LOG_PROBS,
        """if logits.ndim == 3:
        B, T, V = logits.shape
        logits = logits.reshape(B, V, T).transpose(1, 2)
    log_probs = log_softmax(logits)""",
        LOSS,
        """The logits (B, T, V) are reshaped to (B, V, T). The shape is right and the contents are shuffled: only a transpose
        turns axes round.""",
    ),
    one(
        "reshaped to (B, V, T)",
        LOG_PROBS + "\n    " + PICKED,
        """log_probs = log_softmax(logits)
    if logits.ndim == 3:
        B, T, V = logits.shape
        return -log_probs.reshape(B, V, T).gather(1, targets[:, None]).mean()
    picked = log_probs.gather(-1, targets.unsqueeze(-1))""",
        LOSS,
        """The log-probabilities (B, T, V) are reshaped to (B, V, T), and the targets picked along the middle. The shape is
        right and the contents are shuffled: only a transpose turns axes round.""",
    ),
    one(
        "the targets are shifted again, where there are any to shift",
        LOG_PROBS,
        "if targets.ndim == 2 and targets.shape[1] > 1:\n        logits, targets = logits[:, :-1], targets[:, 1:]\n    "
        + LOG_PROBS,
        LOSS,
        """In each sequence a logit is compared with the target of the next position. The targets are the next tokens
        already: they were moved when the batch was made.""",
    ),
    one(
        "three dimensions are taken for granted",
        LOG_PROBS,
        "_, _, _ = logits.shape\n    " + LOG_PROBS,
        LOSS,
        """The shape is unpacked into three numbers. Logits of shape (N, V) have two.""",
    ),
    one(
        "targets one too low",
        PICKED,
        PICKED.replace("targets", "((targets - 1) % logits.shape[-1])"),
        LOSS,
        """The logarithm before the target's is picked. Ids are counted from 0, as places are.""",
    ),
    one(
        "the likeliest token is picked",
        PICKED,
        "picked = log_probs.amax(dim=-1, keepdim=True)",
        LOSS,
        """The logarithm of the largest probability is picked. What counts is the token that the text shows, likely or
        not.""",
    ),
    one(
        "every target is picked for every token",
        PICKED,
        "picked = log_probs[..., targets]",
        LOSS,
        """Indexing with all targets picks each of them at each position. Every position has one target, its own.""",
    ),
    one(
        "the last token is left out",
        MEAN,
        "return -picked.flatten()[:-1].mean()",
        LOSS,
        """One token is missing from the mean: the last. A range or a slice ended one too early.""",
    ),
    one(
        "the first token is left out",
        MEAN,
        "return -picked.flatten()[1:].mean()",
        LOSS,
        """One token is missing from the mean: the first. A range or a slice began one too late.""",
    ),
    one(
        "the last token is not added",
        MEAN,
        "return -picked.flatten()[:-1].sum() / targets.numel()",
        LOSS,
        """The last token is missing from the sum, which is divided by the number of all. A range or a slice ended one too
        early.""",
    ),
    one(
        "the first token is not added",
        MEAN,
        "return -picked.flatten()[1:].sum() / targets.numel()",
        LOSS,
        """The first token is missing from the sum, which is divided by the number of all. A range or a slice began one too
        late.""",
    ),
    one(
        "divided by the vocabulary",
        MEAN,
        "return -picked.sum() / log_probs.shape[-1]",
        LOSS,
        """The sum over all tokens is divided by the number of tokens in the vocabulary. The mean is one over the tokens of the
        text.""",
    ),
    one(
        "only the last position counts",
        MEAN,
        "return -(picked[:, -1] if picked.ndim == 3 else picked).mean()",
        LOSS,
        """Only the last position of each sequence enters the mean. A GPT predicts at every position, and learns from
        each.""",
    ),
    one(
        "id 0 is taken for padding",
        MEAN,
        "return -picked[targets != 0].mean()",
        LOSS,
        """Tokens whose target is id 0 are left out, as if they were padding. In this vocabulary id 0 is a token like all
        others.""",
    ),
    one(
        "the loss is a float",
        MEAN,
        "return -picked.mean().item()",
        LOSS,
        """The loss leaves torch as a plain number. A number remembers no computation, so nothing can be learnt from it.""",
    ),
    one(
        "the loss cannot be learnt from",
        LOG_PROBS,
        "log_probs = log_softmax(logits.detach())",
        "gradient_is_softmax_minus_one_hot",
        """The logits are detached on the way. The number is right, and no gradient reaches the model.""",
    ),
    one(
        "the gradient misses the sum",
        DIFFERENCE,
        DIFFERENCE.replace("shifted.exp()", "shifted.detach().exp()"),
        "gradient_is_softmax_minus_one_hot",
        """The sum of the exponentials is cut off from the gradient. The target is then pulled up, and nothing is pushed down
        for it.""",
    ),
    # Step 3
    one(
        "a tensor for a float",
        PERPLEXITY,
        "return torch.as_tensor(loss).exp()",
        FLOAT,
        """A float comes back as a tensor. What kind goes in comes out.""",
    ),
    one(
        "perplexity takes tensors only",
        PERPLEXITY,
        "return torch.exp(loss)",
        FLOAT,
        """`torch.exp` takes tensors and no floats. `corpus_loss` gives a float.""",
    ),
    one(
        "perplexity asks a float for exp",
        PERPLEXITY,
        "return loss.exp()",
        FLOAT,
        """A float has no method `exp`, only a tensor has. `corpus_loss` gives a float.""",
    ),
    one(
        "a float for a tensor",
        PERPLEXITY,
        "return math.exp(loss)",
        TENSOR,
        """A tensor comes back as a plain float. What kind goes in comes out.""",
    ),
    one(
        "2 to the loss",
        PERPLEXITY,
        "return 2**loss",
        FLOAT,
        """2 is raised to the loss. That undoes a logarithm to base 2, and the loss is one to base e.""",
    ),
    one(
        "a perplexity below 1",
        PERPLEXITY,
        "return (-loss).exp() if isinstance(loss, Tensor) else math.exp(-loss)",
        FLOAT,
        """The exponential of minus the loss is a mean probability. The perplexity is the number of choices, one over
        that.""",
    ),
    one(
        "the perplexity is the loss",
        PERPLEXITY,
        "return loss",
        FLOAT,
        """The loss is handed back unchanged. The perplexity undoes the logarithm in it.""",
    ),
    one(
        "the loss is changed in place",
        PERPLEXITY,
        "return loss.exp_() if isinstance(loss, Tensor) else math.exp(loss)",
        TENSOR,
        """The function with a trailing underscore writes into the tensor that it was given. The loss is then gone.""",
    ),
    # Step 4
    one(
        "batches are averaged without their sizes",
        ADD + "\n" + COUNT,
        "total += cross_entropy(model(x), y).item()\n                tokens += 1",
        CORPUS,
        """The mean losses of the batches are averaged as if all were of one size. A token in a small batch then counts more
        than one in a large batch.""",
    ),
    one(
        "batches are weighted by their rows",
        ADD + "\n" + COUNT,
        "total += cross_entropy(model(x), y).item() * len(y)\n                tokens += len(y)",
        CORPUS,
        """Each batch counts as often as it has sequences. Sequences may differ in length from batch to batch; it is tokens
        that count.""",
    ),
    one(
        "batches are weighted by their length",
        ADD + "\n" + COUNT,
        "total += cross_entropy(model(x), y).item() * y.shape[1]\n                tokens += y.shape[1]",
        CORPUS,
        """Each batch counts as often as its sequences are long. It may hold several of them; it is tokens that count.""",
    ),
    one(
        "a mean with what came before",
        ADD + "\n" + COUNT,
        "loss = cross_entropy(model(x), y).item()\n"
        "                total = (total + loss) / 2 if tokens else loss\n"
        "                tokens = 1",
        CORPUS,
        """Each batch is averaged with the mean so far, half and half. The last batch then counts as much as all before it
        together.""",
    ),
    one(
        "the perplexity of the corpus is returned",
        RESULT,
        "return math.exp(total / tokens)",
        CORPUS,
        """The mean loss is raised to a perplexity. The loss itself is asked for; whoever wants the other calls `perplexity`
        on it.""",
    ),
    one(
        "the sum over all tokens",
        RESULT,
        "return total",
        CORPUS,
        """The losses of all tokens are added up and not divided by their number. A corpus twice as long would have twice the
        loss.""",
    ),
    one(
        "only the last batch counts",
        ADD + "\n" + COUNT,
        "total = cross_entropy(model(x), y).item()\n                tokens = 1",
        CORPUS,
        """Each batch replaces the one before. They have to be added up.""",
    ),
    one(
        "only the first batch counts",
        COUNT,
        COUNT + "\n                break",
        CORPUS,
        """The loop ends after one batch. The corpus is all of them.""",
    ),
    one(
        "a mean of exponentials",
        ADD,
        ADD.replace("cross_entropy(model(x), y).item()", "math.exp(cross_entropy(model(x), y).item())"),
        CORPUS,
        """Each batch's perplexity is averaged. A mean of exponentials is larger than the exponential of the mean: first
        average, then raise.""",
    ),
    one(
        "inputs and targets are exchanged",
        ADD,
        ADD.replace("model(x), y)", "model(y), x)"),
        CORPUS,
        """The model reads the targets and is examined on the inputs. A batch is a pair: first what it reads, then what comes
        next.""",
    ),
    one(
        "a tensor, not a float",
        ADD,
        ADD.replace(".item()", ""),
        CORPUS,
        """The result is a tensor. A float was promised, which holds nothing but the number.""",
    ),
    one(
        "the batches are gone through twice",
        "total, tokens = 0.0, 0",
        "total, tokens = 0.0, sum(y.numel() for _, y in batches)",
        "batches_may_come_from_a_generator",
        """The batches are looped over once to count and once to compute. A generator is empty the second time.""",
    ),
    one(
        "the batches must have a length",
        RESULT,
        "return total / tokens if len(batches) else 0.0",
        "batches_may_come_from_a_generator",
        """`len` is asked of the batches. A generator has none: it can only be looped over.""",
    ),
    one(
        "dropout stays on",
        EVAL,
        "total",
        "model_is_in_eval_mode_meanwhile",
        """The model is not put into eval mode. Dropout then makes the loss larger, and another one each time.""",
    ),
    one(
        "only the model itself is told of eval mode",
        EVAL,
        "model.training = False\n    total",
        CORPUS,
        """`training` is set on the model alone, and its layers do not hear of it. `eval()` tells them all.""",
    ),
    one(
        "the model stays in eval mode",
        RESTORE,
        "    finally:\n        pass",
        "mode_is_as_before_afterwards",
        """Eval mode is never left. The rest of the training would run without dropout.""",
    ),
    one(
        "the model is put into training mode",
        RESTORE,
        "    finally:\n        model.train()",
        "mode_is_as_before_afterwards",
        """The model is in training mode afterwards, whatever it was in before. Who was measuring goes on with dropout.""",
    ),
    one(
        "only the model itself gets its mode back",
        RESTORE,
        "    finally:\n        model.training = was_training",
        "mode_is_as_before_afterwards",
        """`training` is set back on the model alone, and its layers stay in eval mode. `train(mode)` tells them all.""",
    ),
    one(
        "an error leaves the model in eval mode",
        RESTORE,
        "    except ZeroDivisionError:\n        pass\n    model.train(was_training)",
        "mode_is_as_before_when_the_model_raises",
        """The mode is set back after the loop, and an error in the model jumps over that line. `finally` runs in any
        case.""",
    ),
    one(
        "errors of the model are swallowed",
        RESTORE,
        "    except Exception:\n        tokens = tokens or 1\n" + RESTORE,
        "mode_is_as_before_when_the_model_raises",
        """An error in the model is caught and forgotten. What comes back is then the loss of a part of the corpus, and nobody
        knows.""",
    ),
    one(
        "a graph is built for the gradient",
        NO_GRAD,
        "with torch.enable_grad():",
        "no_gradient_is_computed",
        """The computation is recorded for a gradient that nobody asks for. `eval()` does not turn that off, and it costs
        memory and time.""",
    ),
    one(
        "gradients stay off",
        NO_GRAD,
        "if torch.set_grad_enabled(False):",
        "no_gradient_is_computed",
        """Gradients are turned off for good. Whoever trains on afterwards finds nothing to train with.""",
    ),
    mistake(
        "an error leaves gradients off",
        swap(NO_GRAD, "if torch.set_grad_enabled(False):"),
        swap("    finally:\n", "        torch.set_grad_enabled(True)\n    finally:\n"),
        caught_by="test_mode_is_as_before_when_the_model_raises",
        explanation="""Gradients are turned off and, after the loop, on again; an error in the model jumps over that line.
        `with torch.no_grad()` ends in any case.""",
    ),
    one(
        "the parameters stay frozen",
        NO_GRAD,
        "if model.requires_grad_(False):",
        "no_gradient_is_computed",
        """The parameters are told to ask for no gradient, and stay like that. Whoever trains on afterwards finds nothing to
        train.""",
    ),
    one(
        "the gradients are cleared",
        EVAL,
        EVAL.replace("total", "model.zero_grad()\n    total"),
        "gradients_and_random_numbers_are_as_before",
        """Clearing gradients belongs to a training step. Whoever measures in the middle of one loses those that are there.""",
    ),
    one(
        "seeded before measuring",
        EVAL,
        EVAL.replace("total", "torch.manual_seed(0)\n    total"),
        "gradients_and_random_numbers_are_as_before",
        """Without dropout nothing random is left in a measurement. What the seed does change is the training that goes on
        afterwards: the same numbers again after each measurement.""",
    ),
    # Step 1, once more
    one(
        "only the largest is taken off",
        DIFFERENCE,
        "return shifted",
        LOG,
        """The largest logit is taken off and nothing else. The logarithm of the sum of the exponentials has to be taken off as
        well, or the probabilities do not sum to 1.""",
    ),
    one(
        "the sum of the shifted logits",
        DIFFERENCE,
        "return shifted - shifted.sum(dim=-1, keepdim=True).abs().log()",
        LOG,
        """The logits are summed without `exp`. It is their exponentials that the probabilities are made of.""",
    ),
    one(
        "1 is added in the logarithm",
        DIFFERENCE,
        DIFFERENCE.replace(".log()", ".log1p()"),
        LOG,
        """`log1p` is the logarithm of 1 plus its argument. The sum has the 1 of the largest logit already.""",
    ),
    one(
        "the powers of two",
        DIFFERENCE,
        "return shifted - shifted.exp2().sum(dim=-1, keepdim=True).log2()",
        LOG,
        """Powers of 2 stand where exponentials belong. The probabilities are made with e, and logarithms are in nats.""",
    ),
    one(
        "divided by the logarithm",
        DIFFERENCE,
        DIFFERENCE.replace("shifted - ", "shifted / "),
        LOG,
        """The logits are divided by the logarithm of the sum. The logarithm of a fraction is a difference.""",
    ),
    one(
        "the logarithm is added",
        DIFFERENCE,
        DIFFERENCE.replace("shifted - ", "shifted + "),
        LOG,
        """The logarithm of the sum is added. Dividing by a sum becomes subtracting its logarithm.""",
    ),
    one(
        "the smallest is taken off",
        SHIFTED,
        SHIFTED.replace("amax", "amin"),
        "huge_logits_give_finite_results",
        """The smallest logit is taken off, so that all others are above 0. `exp` of the largest may then overflow.""",
    ),
    *[
        one(
            f"nothing is below {least}",
            DIFFERENCE,
            "return (" + DIFFERENCE.removeprefix("return ") + f").clamp(min={least})",
            "huge_logits_give_finite_results",
            """The result is cut off from below. A logarithm of a probability has no smallest value: a token that lies thousands
            below the largest has a logarithm of minus thousands.""",
        )
        for least in ("-50.0", "-100.0", "-1000.0")
    ],
    one(
        "over the last but one dimension",
        SHIFTED,
        "if logits.ndim > 1:\n        return torch.log_softmax(logits, -2)\n    " + SHIFTED,
        LOG,
        """The probabilities sum to 1 along the last dimension but one, over the positions. It is the tokens of the vocabulary
        that compete, along the last one.""",
    ),
    one(
        "divided by the largest size first",
        SHIFTED,
        "shifted = logits / logits.abs().amax(dim=-1, keepdim=True)",
        LOG,
        """The logits are scaled to at most 1, so that `exp` does not overflow. A factor changes the probabilities; only a shift
        does not.""",
    ),
    # Step 2, once more
    one(
        "targets one too high",
        PICKED,
        PICKED.replace("targets", "((targets + 1) % logits.shape[-1])"),
        LOSS,
        """The logarithm after the target's is picked. Ids are counted from 0, as places are.""",
    ),
    one(
        "the least likely token is picked",
        PICKED,
        "picked = log_probs.amin(dim=-1, keepdim=True)",
        LOSS,
        """The logarithm of the smallest probability is picked. What counts is the token that the text shows.""",
    ),
    one(
        "the first token of the vocabulary is picked",
        PICKED,
        "picked = log_probs[..., :1]",
        LOSS,
        """The logarithm of token 0 is picked at every position. What counts is the token that the text shows.""",
    ),
    one(
        "the targets of the next text",
        PICKED,
        PICKED.replace("targets", "targets.roll(-1, 0)"),
        LOSS,
        """Rows of logits and rows of targets are moved against each other by one. Row b of the one belongs to row b of the
        other.""",
    ),
    one(
        "the targets are counted through column by column",
        PICKED,
        PICKED.replace("targets", "(targets.T if targets.ndim == 2 else targets).reshape(targets.shape)"),
        LOSS,
        """The targets are read column by column and the logits row by row. Both are to be read in one order.""",
    ),
    one(
        "the targets are read backwards",
        PICKED,
        PICKED.replace("targets", "targets.flip(-1)"),
        LOSS,
        """The last target is compared with the first position. Position t has target t.""",
    ),
    one(
        "the targets are shifted the other way",
        LOG_PROBS,
        "if targets.shape[-1] > 1:\n        logits, targets = logits[..., 1:, :], targets[..., :-1]\n    " + LOG_PROBS,
        LOSS,
        """Each logit is compared with the target of the position before. The targets are the next tokens already: they were
        moved when the batch was made.""",
    ),
    one(
        "only the first position counts",
        MEAN,
        "return -(picked[:, 0] if picked.ndim == 3 else picked).mean()",
        LOSS,
        """Only the first position of each sequence enters the mean. A GPT predicts at every position, and learns from
        each.""",
    ),
    one(
        "only the first text counts",
        MEAN,
        "return -(picked[0] if picked.ndim == 3 else picked).mean()",
        LOSS,
        """Only the first text of the batch enters the mean. All of them count.""",
    ),
    one(
        "the last id is taken for padding",
        MEAN,
        "return -picked[targets != logits.shape[-1] - 1].mean()",
        LOSS,
        """Tokens whose target is the last id are left out, as if they were padding. In this vocabulary it is a token like all
        others.""",
    ),
    one(
        "the median of the losses",
        MEAN,
        "return -picked.flatten().median()",
        LOSS,
        """The median over the tokens is taken. Their mean is asked for, in which one bad guess costs a lot.""",
    ),
    one(
        "the worst token decides",
        MEAN,
        "return -picked.min()",
        LOSS,
        """The loss is that of the token that was thought least likely. The mean over all tokens is asked for.""",
    ),
    one(
        "the root of the mean square of the losses",
        MEAN,
        "return picked.square().mean().sqrt()",
        LOSS,
        """The losses are squared before they are averaged, and the root taken afterwards. Their plain mean is asked for.""",
    ),
    one(
        "easy tokens count less",
        MEAN,
        "return -((1 - picked.exp()).square() * picked).mean()",
        LOSS,
        """Each loss is weighted by how unsure the model was, as in focal loss. Every token counts the same.""",
    ),
    one(
        "the squared distance to one-hot",
        MEAN,
        "return (log_probs.exp() - (targets[..., None] == torch.arange(logits.shape[-1]))).square().sum(dim=-1).mean()",
        LOSS,
        """The loss is the squared distance of the probabilities to 0 and 1. That is another loss, which hardly minds a target
        that was thought impossible.""",
    ),
    one(
        "the most that can be lost by a margin",
        MEAN,
        "others = logits.scatter(-1, targets.unsqueeze(-1), -torch.inf).amax(dim=-1)\n"
        "    return (1 + others - logits.gather(-1, targets.unsqueeze(-1)).squeeze(-1)).clamp(min=0).mean()",
        LOSS,
        """The loss is how far the target's logit is from being the largest by 1. Probabilities are not in it.""",
    ),
    one(
        "base 10 (cross_entropy)",
        MEAN,
        "return -picked.mean() / math.log(10)",
        LOSS,
        """The loss is counted to base 10. Here everything is in nats, to base e.""",
    ),
    one(
        "divided by one token too few",
        MEAN,
        "return -picked.sum() / max(1, targets.numel() - 1)",
        LOSS,
        """The sum over all tokens is divided by their number less one. There is a target for each position, the last one
        too.""",
    ),
    one(
        "divided by one token too many",
        MEAN,
        "return -picked.sum() / (targets.numel() + 1)",
        LOSS,
        """The sum over all tokens is divided by their number and one more. It is a mean over the targets that there are.""",
    ),
    one(
        "the loss as a share of ln V",
        MEAN,
        "return -picked.mean() / math.log(logits.shape[-1])",
        LOSS,
        """The loss is divided by that of a model that knows nothing. It is asked for in nats.""",
    ),
    one(
        "the entropy of the model",
        MEAN,
        "return -(log_probs.exp() * log_probs).sum(dim=-1).mean()",
        LOSS,
        """Every token's logarithm is weighted by its own probability, and the targets play no part. That is how unsure the
        model is, not how surprised by this text.""",
    ),
    one(
        "the mean over the vocabulary instead of the target",
        MEAN,
        "return -log_probs.mean()",
        LOSS,
        """The logarithms of all tokens are averaged, and the targets play no part. Each position has one target.""",
    ),
    # Step 3, once more
    one(
        "10 to the loss",
        PERPLEXITY,
        "return 10**loss",
        FLOAT,
        """10 is raised to the loss. That undoes a logarithm to base 10, and the loss is one to base e.""",
    ),
    one(
        "e with a few digits",
        PERPLEXITY,
        "return 2.718**loss",
        FLOAT,
        """e is written as 2.718. The digits that are missing count for more the larger the loss is.""",
    ),
    one(
        "one choice too few",
        PERPLEXITY,
        "return loss.expm1() if isinstance(loss, Tensor) else math.expm1(loss)",
        FLOAT,
        """1 is taken off the exponential. A model that is sure has a perplexity of 1, not of 0.""",
    ),
    one(
        "a whole number of choices",
        PERPLEXITY,
        "return loss.exp().round() if isinstance(loss, Tensor) else round(math.exp(loss))",
        FLOAT,
        """The perplexity is rounded to a whole number. It is as unsure as between so many, and may lie between two.""",
    ),
    # Step 4, once more
    one(
        "the last batch is left out",
        "for x, y in batches:",
        "for x, y in (batches := list(batches))[: max(1, len(batches) - 1)]:",
        CORPUS,
        """The last batch, which may be a small one, is not measured. Every token of the corpus counts.""",
    ),
    one(
        "the first batch is left out",
        "for x, y in batches:",
        "for x, y in list(batches)[1:] or batches:",
        CORPUS,
        """The first batch is not measured. Every token of the corpus counts.""",
    ),
    one(
        "small batches are left out",
        ADD + "\n" + COUNT,
        "size = locals().get('size') or y.shape\n                if y.shape != size:\n                    continue\n                "
        + ADD
        + "\n"
        + COUNT,
        CORPUS,
        """Batches of another shape than the first are skipped. Every token of the corpus counts, also those of a small last
        batch.""",
    ),
    one(
        "all losses over the number of batches",
        ADD + "\n" + COUNT,
        ADD + "\n                tokens += 1",
        CORPUS,
        """The losses of all tokens are added up and divided by the number of batches. The mean over the tokens is asked for.""",
    ),
    one(
        "means over the number of tokens",
        ADD,
        ADD.replace(" * y.numel()", ""),
        CORPUS,
        """The mean losses of the batches are added up and divided by the number of tokens. A mean has been divided
        already.""",
    ),
    one(
        "the loss counts times the rows, the tokens are all",
        ADD,
        ADD.replace("y.numel()", "len(y)"),
        CORPUS,
        """A batch's mean is multiplied by its rows, and the total divided by the tokens. Its total is the mean times the number
        of its tokens.""",
    ),
    one(
        "the worst batch decides",
        ADD + "\n" + COUNT,
        "total = max(total, cross_entropy(model(x), y).item())\n                tokens = 1",
        CORPUS,
        """The loss is the largest of the batches. The mean over all tokens is asked for.""",
    ),
    one(
        "only the last position of a corpus counts",
        ADD + "\n" + COUNT,
        "total += cross_entropy(model(x)[:, -1], y[:, -1]).item() * len(y)\n                tokens += len(y)",
        CORPUS,
        """Of each sequence only the last prediction is measured. A GPT predicts at every position.""",
    ),
    one(
        "the corpus is measured at its inputs",
        ADD,
        ADD.replace("model(x), y)", "model(x), x)"),
        CORPUS,
        """The model is examined on the tokens that it has just read. It has to name the next ones.""",
    ),
    one(
        "the corpus is shifted again",
        ADD,
        "total += cross_entropy(*((model(x)[:, :-1], y[:, 1:]) if y.shape[1] > 1 else (model(x), y))).item() * y.numel()",
        CORPUS,
        """Each prediction is compared with the target of the next position. The targets are the next tokens already.""",
    ),
    one(
        "the loss of a corpus is rounded",
        RESULT,
        "return round(total / tokens, 2)",
        CORPUS,
        """The loss is rounded to two digits. It is rounded where it is printed.""",
    ),
    # Any other number
    family(
        "{c} saves the logarithm",
        swap(DIFFERENCE, "return (torch.softmax(logits, dim=-1) + {c}).log()"),
        constants=(1e-15, 1e-12, 1e-10, 1e-9, 1e-8, 1e-6, 1e-3),
        caught_by="test_huge_logits_give_finite_results",
        explanation="""{c} is added to the probabilities before the logarithm. The result is finite and wrong: nothing can be less
        likely than that number.""",
    ),
    family(
        "probabilities are at least {c}",
        swap(DIFFERENCE, "return torch.softmax(logits, dim=-1).clamp(min={c}).log()"),
        constants=(1e-15, 1e-12, 1e-10, 1e-9, 1e-8, 1e-6, 1e-3),
        caught_by="test_huge_logits_give_finite_results",
        explanation="""Probabilities below {c} are lifted to it before the logarithm. The result is finite and wrong: nothing can be less
        likely than that number.""",
    ),
    family(
        "logits beyond {c} are cut off",
        swap(SHIFTED, "shifted = logits.clamp(-{c}, {c})"),
        constants=(1.0, 10.0, 50.0, 80.0, 700.0),
        caught_by="test_huge_logits_give_finite_results",
        explanation="""Logits beyond ±{c} are set to ±{c}, so that `exp` does not overflow. All of those then look equally
        likely.""",
    ),
    family(
        "the logits are divided by {c}",
        swap(SHIFTED, "logits = logits / {c}\n    " + SHIFTED),
        constants=(0.1, 0.5, 2.0, 10.0),
        caught_by="test_log_softmax_is_the_logarithm_of_softmax",
        explanation="""The logits are divided by {c}, as a temperature does in sampling. The loss takes them as they are.""",
    ),
    family(
        "{c} saves the logarithm in the loss",
        swap(MEAN, "return -(picked.exp() + {c}).log().mean()"),
        constants=(1e-15, 1e-12, 1e-10, 1e-9, 1e-8, 1e-6, 1e-3),
        caught_by="test_huge_logits_give_a_finite_loss",
        explanation="""{c} is added to the probability before its logarithm is taken. However wrong the model is, the loss cannot
        say so.""",
    ),
    family(
        "the targets are smoothed by {c}",
        swap(MEAN, "return -((1 - {c}) * picked.mean() + {c} * log_probs.mean())"),
        constants=(0.01, 0.05, 0.1, 0.2, 0.5),
        caught_by="test_loss_is_the_mean_of_minus_ln_p",
        explanation="""A share of {c} of each target is spread over the whole vocabulary. That is label smoothing; here the target
        alone counts.""",
    ),
    family(
        "{c} times the loss",
        swap(MEAN, "return -{c} * picked.mean()"),
        constants=(0.1, 0.5, 2.0, 10.0),
        caught_by="test_loss_is_the_mean_of_minus_ln_p",
        explanation="""The mean is multiplied by {c}. The loss is the mean itself, in nats.""",
    ),
    family(
        "logits over {c} in the loss",
        swap(LOG_PROBS, "log_probs = log_softmax(logits / {c})  # (B, T, V)"),
        constants=(0.1, 0.5, 2.0, 10.0),
        caught_by="test_loss_is_the_mean_of_minus_ln_p",
        explanation="""The logits are divided by {c}, as a temperature does in sampling. The loss takes them as they are.""",
    ),
    family(
        "a perplexity to the base {c}",
        swap(PERPLEXITY, "return {c} ** loss"),
        constants=(1.5, 2.5, 2.7, 2.72, 3.0, 5.0),
        caught_by="test_perplexity_of_a_float_is_a_float",
        explanation="""{c} is raised to the loss. A loss in nats goes with the base e.""",
    ),
    family(
        "a loss above {c} is cut off",
        swap(PERPLEXITY, "return loss.clamp(max={c}).exp() if isinstance(loss, Tensor) else math.exp(min(loss, {c}))"),
        constants=(1.0, 10.0, 20.0, 50.0),
        caught_by="test_perplexity_of_a_large_loss",
        explanation="""A loss above {c} counts as {c}, so that nothing overflows. Such a model is worse than the number says.""",
    ),
    mistake(
        "dimension 1 is the vocabulary (log_softmax)",
        swap(SHIFTED, "shifted = logits - logits.amax(dim=1, keepdim=True)"),
        swap(DIFFERENCE, "return shifted - shifted.exp().sum(dim=1, keepdim=True).log()"),
        caught_by="test_log_softmax_is_the_logarithm_of_softmax",
        explanation="""Dimension 1 is counted from the front. The vocabulary is the last dimension, however many there are.""",
    ),
    mistake(
        "the maximum comes back with the wrong sign",
        swap(
            DIFFERENCE,
            "return logits - shifted.exp().sum(dim=-1, keepdim=True).log() + logits.amax(dim=-1, keepdim=True)",
        ),
        caught_by="test_log_softmax_is_the_logarithm_of_softmax",
        explanation="""The maximum is added where it has to be subtracted. The logarithm of the whole sum is that of the shifted sum plus
        the maximum, and all of it is subtracted.""",
    ),
    mistake(
        "train mode is switched on afterwards",
        swap(RESTORE, "    finally:\n        model.train()"),
        caught_by="test_mode_is_as_before_afterwards",
        explanation="""The model is put into train mode at the end, whatever it was in. Whoever measures a model in eval mode gets it
        back in another.""",
    ),
    mistake(
        "only the tokens of the last batch are counted",
        swap(COUNT, "                tokens = y.numel()"),
        caught_by="test_corpus_loss_is_the_mean_over_all_tokens",
        explanation="""The sum of all batches is divided by the tokens of the last of them. The count has to grow with the sum.""",
    ),
    one(
        "the sum's logarithm is to base 2",
        DIFFERENCE,
        DIFFERENCE.replace("log()", "log2()"),
        "log_softmax_is_the_logarithm_of_softmax",
        """The exponentials are powers of e, and the logarithm of their sum is to base 2. The two have to undo each other.""",
    ),
    one(
        "the sum's logarithm is to base 10",
        DIFFERENCE,
        DIFFERENCE.replace("log()", "log10()"),
        "log_softmax_is_the_logarithm_of_softmax",
        """The exponentials are powers of e, and the logarithm of their sum is to base 10. The two have to undo each other.""",
    ),
    one(
        "the tokens of a row are added up",
        MEAN,
        "return -picked.squeeze(-1).sum(dim=-1).mean()",
        "uniform_logits_give_ln_V",
        """The losses of a row's tokens are added, and the mean is taken over the rows. A row twice as long would count twice as much.""",
    ),
    one(
        "only the last token of each row counts",
        MEAN,
        "return -picked[..., -1:, :].mean()",
        "loss_is_the_mean_of_minus_ln_p",
        """The loss is that of the last token of each row. Every token has a target.""",
    ),
    one(
        "only the first token of each row counts",
        MEAN,
        "return -picked[..., :1, :].mean()",
        "loss_is_the_mean_of_minus_ln_p",
        """The loss is that of the first token of each row. Every token has a target.""",
    ),
    one(
        "only the first row counts",
        MEAN,
        "return -picked[0].mean()",
        "loss_is_the_mean_of_minus_ln_p",
        """The loss is that of the first row. Every row has its share in it.""",
    ),
    one(
        "only the last row counts",
        MEAN,
        "return -picked[-1].mean()",
        "loss_is_the_mean_of_minus_ln_p",
        """The loss is that of the last row. Every row has its share in it.""",
    ),
    one(
        "the targets are one too small",
        PICKED,
        "picked = log_probs.gather(-1, (targets - 1).clamp(min=0).unsqueeze(-1))  # (B, T, 1)",
        "loss_is_the_mean_of_minus_ln_p",
        """The id before the target's is picked. Ids count from 0, as the logits do.""",
    ),
    one(
        "gradients are switched on afterwards",
        RESTORE,
        RESTORE + "\n        torch.set_grad_enabled(True)",
        "no_gradient_is_computed",
        """Gradients are switched on when the loss has been measured, also where the caller had switched them off. They are to be as they were before.""",
    ),
    one(
        "frozen parameters are trained afterwards",
        RESTORE,
        RESTORE + "\n        model.requires_grad_(True)",
        "no_gradient_is_computed",
        """Every parameter asks for gradients when the loss has been measured, also those that were frozen. They are to be as they were before.""",
    ),
]
