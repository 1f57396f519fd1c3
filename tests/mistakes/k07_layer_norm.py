"""k07: what people get wrong about layer norm."""

from dojo.spec import family, mistake, swap

WEIGHT = "self.weight = nn.Parameter(torch.ones(emb_dim))"
BIAS = "self.bias = nn.Parameter(torch.zeros(emb_dim))"
EPS = "self.eps = eps"
MEAN = "mean = x.mean(dim=-1, keepdim=True)"
VARIANCE = "variance = (x - mean).pow(2).mean(dim=-1, keepdim=True)"
NORMALISED = "normalised = (x - mean) / torch.sqrt(variance + self.eps)"
OUTPUT = "return self.weight * normalised + self.bias"

NORMALISES = "test_each_token_has_mean_0_and_variance_1"
OUTPUTS = "test_output_is_the_layer_norm_of_each_token"


def over(axes):
    """The swaps that take mean and variance over other axes."""
    return (
        swap(MEAN, f"mean = x.mean(dim={axes}, keepdim=True)"),
        swap(VARIANCE, f"variance = x.var(dim={axes}, keepdim=True, unbiased=False)"),
    )


MISTAKES = [
    # Step 1
    mistake(
        "the weight is a plain tensor",
        swap(WEIGHT, "self.weight = torch.ones(emb_dim)"),
        caught_by="test_weight_and_bias_are_trained",
        explanation="""`weight` is a tensor that the module does not know about. No optimizer is told of it, so it is
        never learned.""",
    ),
    mistake(
        "the weight is a buffer",
        swap(WEIGHT, 'self.register_buffer("weight", torch.ones(emb_dim))'),
        caught_by="test_weight_and_bias_are_trained",
        explanation="""`weight` is registered as a buffer. A buffer moves and is saved with the module, but training does not
        change it.""",
    ),
    mistake(
        "the weight is frozen",
        swap(WEIGHT, "self.weight = nn.Parameter(torch.ones(emb_dim), requires_grad=False)"),
        caught_by="test_weight_and_bias_are_trained",
        explanation="""`weight` is a parameter that asks for no gradient. An optimizer may be told of it, but has nothing to
        change it by.""",
    ),
    mistake(
        "the bias is a plain tensor",
        swap(BIAS, "self.bias = torch.zeros(emb_dim)"),
        caught_by="test_weight_and_bias_are_trained",
        explanation="""`bias` is a tensor that the module does not know about. No optimizer is told of it, so it is
        never learned.""",
    ),
    mistake(
        "the bias is a buffer",
        swap(BIAS, 'self.register_buffer("bias", torch.zeros(emb_dim))'),
        caught_by="test_weight_and_bias_are_trained",
        explanation="""`bias` is registered as a buffer. A buffer moves and is saved with the module, but training does not
        change it.""",
    ),
    mistake(
        "the bias is frozen",
        swap(BIAS, "self.bias = nn.Parameter(torch.zeros(emb_dim), requires_grad=False)"),
        caught_by="test_weight_and_bias_are_trained",
        explanation="""`bias` is a parameter that asks for no gradient. An optimizer may be told of it, but has nothing to
        change it by.""",
    ),
    mistake(
        "weight and bias are buffers",
        swap(WEIGHT, 'self.register_buffer("weight", torch.ones(emb_dim))'),
        swap(BIAS, 'self.register_buffer("bias", torch.zeros(emb_dim))'),
        caught_by="test_weight_and_bias_are_trained",
        explanation="""Both are registered as buffers. Buffers move and are saved with the module, but training does
        not change them.""",
    ),
    mistake(
        "one weight for all features",
        swap(WEIGHT, "self.weight = nn.Parameter(torch.ones(1))"),
        caught_by="test_weight_and_bias_are_trained",
        explanation="""`weight` is a single number. Each feature has a weight of its own, since the layer after it may
        need some of them large and others small.""",
    ),
    mistake(
        "one bias for all features",
        swap(BIAS, "self.bias = nn.Parameter(torch.zeros(1))"),
        caught_by="test_weight_and_bias_are_trained",
        explanation="""`bias` is a single number. Each feature has a bias of its own, or all of them could only be
        shifted together.""",
    ),
    mistake(
        "eps is trained",
        swap(EPS, "self.eps = nn.Parameter(torch.tensor(eps))"),
        caught_by="test_weight_and_bias_are_trained",
        explanation="""`eps` is a parameter too. It is there to keep a division safe, and training could push it below
        0.""",
    ),
    mistake(
        "the weight starts at 0",
        swap(WEIGHT, "self.weight = nn.Parameter(torch.zeros(emb_dim))"),
        caught_by="test_a_fresh_layer_changes_nothing_after_normalising",
        explanation="""A fresh layer multiplies every feature by 0. Whatever comes in, nothing goes out, and no
        gradient comes back through it.""",
    ),
    mistake(
        "the bias starts at 1",
        swap(BIAS, "self.bias = nn.Parameter(torch.ones(emb_dim))"),
        caught_by="test_a_fresh_layer_changes_nothing_after_normalising",
        explanation="""A fresh layer shifts every feature by 1. It should leave the normalised token as it is until
        training says otherwise.""",
    ),
    mistake(
        "the weight starts at random",
        swap(WEIGHT, "self.weight = nn.Parameter(torch.randn(emb_dim))"),
        caught_by="test_a_fresh_layer_changes_nothing_after_normalising",
        explanation="""The weight is drawn at random, as in a linear layer. Here there is no symmetry to break, and random
        weights undo the common size that the layer has just made.""",
    ),
    # Step 2
    mistake(
        "x is centred in place",
        swap(NORMALISED, "x -= mean\n        normalised = x / torch.sqrt(variance + self.eps)"),
        caught_by="test_x_is_left_alone",
        explanation="""The mean is subtracted from the very tensor that was handed over. Whoever called still needs it as it
        was: a residual block adds it to the result.""",
    ),
    mistake(
        "x is normalised in place",
        swap(NORMALISED, "x -= mean\n        x /= torch.sqrt(variance + self.eps)\n        normalised = x"),
        caught_by="test_x_is_left_alone",
        explanation="""Centring and dividing write into the very tensor that was handed over. Whoever called still needs it
        as it was: a residual block adds it to the result.""",
    ),
    mistake(
        "divided by n - 1",
        swap(VARIANCE, "variance = x.var(dim=-1, keepdim=True)"),
        caught_by=NORMALISES,
        explanation="""The squared distances are summed and divided by n - 1, which is what `var` and `std` do unless told
        otherwise. That estimates the variance of a population from a sample, and the features of a token are no
        sample.""",
    ),
    mistake(
        "eps outside the root",
        swap(NORMALISED, "normalised = (x - mean) / (torch.sqrt(variance) + self.eps)"),
        caught_by=NORMALISES,
        explanation="""`eps` is added to the standard deviation, after the root. The output is a little off, and for a
        constant token the gradient of the root is infinite.""",
    ),
    mistake(
        "eps is added to the standard deviation",
        swap(NORMALISED, "normalised = (x - mean) / (x.std(dim=-1, keepdim=True, unbiased=False) + self.eps)"),
        caught_by=NORMALISES,
        explanation="""The token is divided by the sum of its standard deviation and `eps`. `eps` belongs to the variance, under
        the root; outside it gives other numbers, the more so the smaller the spread.""",
    ),
    mistake(
        "n - 1, and eps is added to the standard deviation",
        swap(VARIANCE, "variance = x.std(dim=-1, keepdim=True)"),
        swap(NORMALISED, "normalised = (x - mean) / (variance + self.eps)"),
        caught_by=NORMALISES,
        explanation="""The spread is divided by n - 1, as `std` does unless told otherwise, and eps is added after the
        root. The variance here is divided by n, and eps belongs to it.""",
    ),
    mistake(
        "eps is added to the result",
        swap(NORMALISED, "normalised = (x - mean) / torch.sqrt(variance) + self.eps"),
        caught_by=NORMALISES,
        explanation="""Without a bracket the division comes first, and eps moves every feature a little. Where the
        variance is 0, nothing keeps the division from failing.""",
    ),
    mistake(
        "no eps",
        swap(NORMALISED, "normalised = (x - mean) / torch.sqrt(variance)"),
        caught_by="test_a_constant_token_stays_finite",
        explanation="""The distance from the mean is divided by the standard deviation alone. A token whose features are
        all equal has none, and 0/0 is not a number.""",
    ),
    mistake(
        "eps is a lower limit",
        swap(NORMALISED, "normalised = (x - mean) / torch.sqrt(variance.clamp(min=self.eps))"),
        caught_by=NORMALISES,
        explanation="""What stands under the root is the variance or `eps`, whichever is larger. That is safe, but it
        is not the sum of the two.""",
    ),
    mistake(
        "divided by its length",
        swap(NORMALISED, "normalised = nn.functional.normalize(x - mean, dim=-1) * x.shape[-1] ** 0.5"),
        caught_by=NORMALISES,
        explanation="""The centred token is brought to length √n whatever `eps` is, and only a length next to 0 is guarded
        against. `eps` belongs to every variance, and it takes away from every length.""",
    ),
    mistake(
        "no root",
        swap(NORMALISED, "normalised = (x - mean) / (variance + self.eps)"),
        caught_by=NORMALISES,
        explanation="""The token is divided by its variance. Variance is measured in squares, so a token stretched by 10
        would come out 10 times smaller.""",
    ),
    mistake(
        "the mean is not subtracted",
        swap(NORMALISED, "normalised = x / torch.sqrt(variance + self.eps)"),
        caught_by=NORMALISES,
        explanation="""The token is divided by its spread but not centred. Where all its features are large, they stay
        large.""",
    ),
    mistake(
        "RMS norm",
        swap(MEAN, "mean = 0.0"),
        swap(VARIANCE, "variance = x.pow(2).mean(dim=-1, keepdim=True)"),
        caught_by=NORMALISES,
        explanation="""The token is divided by the root of its mean square, and its mean stays. That is RMS norm, a good
        layer in newer models, but not the one in GPT-2.""",
    ),
    mistake(
        "the mean square instead of the variance",
        swap(VARIANCE, "variance = x.pow(2).mean(dim=-1, keepdim=True)"),
        caught_by=NORMALISES,
        explanation="""The token is centred, but what it is divided by is the mean of its squares before that. Distance
        from 0 is not spread: it grows when the token is shifted.""",
    ),
    mistake(
        "the mean distance instead of the root of the mean square",
        swap(VARIANCE, "variance = (x - mean).abs().mean(dim=-1, keepdim=True).pow(2)"),
        caught_by=NORMALISES,
        explanation="""The spread is measured by the mean absolute distance from the mean. The standard deviation squares
        the distances before it averages them, so far features count for more.""",
    ),
    mistake(
        "mean of squares minus square of the mean",
        swap(VARIANCE, "variance = x.pow(2).mean(dim=-1, keepdim=True) - mean.pow(2)"),
        caught_by="test_a_large_mean_costs_no_precision",
        explanation="""The variance is computed as the mean of the squares minus the square of the mean. On paper that is
        right, but when the mean is large it subtracts two huge rounded numbers, and the small one between them is
        lost.""",
    ),
    mistake(
        "over the tokens",
        *over(1),
        caught_by=NORMALISES,
        explanation="""Mean and variance run along the tokens of a text, for each feature. A token then depends on its
        neighbours, later ones included.""",
    ),
    mistake(
        "over the batch",
        *over(0),
        caught_by=NORMALISES,
        explanation="""Mean and variance run along the batch, for each place and feature. What comes out for one text
        then depends on which others happen to be beside it.""",
    ),
    mistake(
        "batch norm",
        *over((0, 1)),
        caught_by=NORMALISES,
        explanation="""Mean and variance are those of a feature over all tokens of all texts. That is batch norm: a token
        depends on the rest of the batch.""",
    ),
    mistake(
        "over tokens and features",
        *over((1, 2)),
        caught_by=NORMALISES,
        explanation="""One mean and one variance serve a whole text, over its tokens as well as its features. A token
        then depends on its neighbours, later ones included.""",
    ),
    mistake(
        "over everything",
        swap(MEAN, "mean = x.mean()"),
        swap(VARIANCE, "variance = x.var(unbiased=False)"),
        caught_by=NORMALISES,
        explanation="""One mean and one variance serve the whole batch, because no axis was named. Every token then
        depends on every other.""",
    ),
    mistake(
        "one variance for all tokens",
        swap(VARIANCE, "variance = x.var(unbiased=False)"),
        caught_by=NORMALISES,
        explanation="""Each token has its own mean, but the variance is that of all of them. A token of small spread
        then stays small.""",
    ),
    mistake(
        "one mean for all tokens",
        swap(MEAN, "mean = x.mean()"),
        swap(VARIANCE, "variance = x.var(dim=-1, keepdim=True, unbiased=False)"),
        caught_by=NORMALISES,
        explanation="""Each token has its own variance, but the mean is that of all of them. What one token becomes
        then depends on the others.""",
    ),
    mistake(
        "mean and variance lose their axis",
        swap(MEAN, "mean = x.mean(dim=-1)"),
        swap(VARIANCE, "variance = x.var(dim=-1, unbiased=False)"),
        caught_by=NORMALISES,
        explanation="""A mean or a variance has shape (B, T), with nothing in place of the features, and so it is lined up with the
        wrong axes of x. Mostly that raises; where two sizes happen to agree it broadcasts in silence.""",
    ),
    mistake(
        "the bias comes before the weight",
        swap(OUTPUT, "return self.weight * (normalised + self.bias)"),
        caught_by=OUTPUTS,
        explanation="""The bias is added first and then multiplied by the weight. How far a feature is shifted then
        depends on how much it is stretched.""",
    ),
    mistake(
        "the bias is not used",
        swap(OUTPUT, "return self.weight * normalised"),
        caught_by=OUTPUTS,
        explanation="""The layer has a bias, but forward does not add it. It would never move from 0.""",
    ),
    mistake(
        "the weight is not used",
        swap(OUTPUT, "return normalised + self.bias"),
        caught_by=OUTPUTS,
        explanation="""The layer has a weight, but forward does not multiply by it. It would never move from 1.""",
    ),
    mistake(
        "weight and bias are not used",
        swap(OUTPUT, "return normalised"),
        caught_by=OUTPUTS,
        explanation="""The normalised token is returned as it is. The next layer may need some features larger than
        others, and the weight and the bias are there to learn which.""",
    ),
    mistake(
        "1 is added to the weight",
        swap(OUTPUT, "return (1 + self.weight) * normalised + self.bias"),
        caught_by=NORMALISES,
        explanation="""The output is scaled by 1 + weight. That goes with weights that start at 0; these start at
        1.""",
    ),
    mistake(
        "x is added",
        swap(OUTPUT, "return x + self.weight * normalised + self.bias"),
        caught_by=NORMALISES,
        explanation="""The input is added to what was normalised. A shortcut goes around a whole branch, and the norm
        stands inside of it.""",
    ),
    mistake(
        "x is weighted before it is normalised",
        swap(MEAN, "x = x * self.weight\n        " + MEAN),
        swap(OUTPUT, "return normalised + self.bias"),
        caught_by=OUTPUTS,
        explanation="""The weight multiplies what comes in, and normalising takes part of it away again. It is meant
        for what comes out.""",
    ),
    mistake(
        "the bias is subtracted",
        swap(OUTPUT, "return self.weight * normalised - self.bias"),
        caught_by=OUTPUTS,
        explanation="""The bias is taken away. It is what is added at the end.""",
    ),
    mistake(
        "the first output is kept",
        swap(
            OUTPUT, OUTPUT.replace("return", "self.output = getattr(self, 'output',") + ")\n        return self.output"
        ),
        caught_by="test_every_call_is_computed_anew",
        explanation="""The output is kept in the module and given again at the next call. That call comes with another x, and
        after a step of training with another weight and bias.""",
    ),
    mistake(
        "mean and variance of the first call are kept",
        swap(MEAN, "mean = self.mean = getattr(self, 'mean', x.mean(dim=-1, keepdim=True))"),
        swap(
            VARIANCE,
            "variance = self.variance = getattr(self, 'variance', (x - mean).pow(2).mean(dim=-1, keepdim=True))",
        ),
        caught_by="test_every_call_is_computed_anew",
        explanation="""Mean and variance are taken once and used again for whatever comes later. Each token has its own.""",
    ),
    mistake(
        "weight and bias in training only",
        swap(OUTPUT, f"if not self.training:\n            return normalised\n        {OUTPUT}"),
        caught_by="test_eval_mode_changes_nothing",
        explanation="""In eval mode the normalised token is returned as it is. Weight and bias are what was learned; they count
        whenever the layer is used.""",
    ),
    mistake(
        "a running mean in eval mode",
        swap(
            MEAN,
            f"{MEAN}\n        old = getattr(self, 'running', torch.zeros(1))"
            "\n        if self.training:\n            self.running = 0.9 * old + 0.1 * mean.detach().mean()"
            "\n        else:\n            mean = old",
        ),
        caught_by="test_eval_mode_changes_nothing",
        explanation="""In training a mean is collected, and in eval mode it stands in for the token's own. Batch norm needs
        that, because one text has no batch beside it; a token always has all its features.""",
    ),
    mistake(
        "computed in float32",
        swap(MEAN, f"x = x.float()\n        {MEAN}"),
        caught_by="test_every_digit_of_x_counts",
        explanation="""x is rounded to float32 before anything is computed, whatever precision it comes in. The layer should
        work in the precision of its input.""",
    ),
    mistake(
        "mean and variance are cut off from the gradient",
        swap(NORMALISED, "normalised = (x - mean.detach()) / torch.sqrt(variance.detach() + self.eps)"),
        caught_by="test_gradients_are_those_of_layer_norm",
        explanation="""The output is right, but mean and variance are treated as constants on the way back. They depend
        on x too, and their part of the gradient is missing.""",
    ),
    mistake(
        "the mean is cut off from the gradient",
        swap(MEAN, "mean = x.detach().mean(dim=-1, keepdim=True)"),
        caught_by="test_gradients_are_those_of_layer_norm",
        explanation="""The mean is a plain number for autograd. It depends on every feature, and part of the gradient
        runs through it.""",
    ),
    mistake(
        "the variance is cut off from the gradient",
        swap(VARIANCE, VARIANCE.replace("(x - mean)", "(x - mean).detach()")),
        caught_by="test_gradients_are_those_of_layer_norm",
        explanation="""The variance is a plain number for autograd. It depends on every feature, and part of the
        gradient runs through it.""",
    ),
    mistake(
        "constant tokens are left out",
        swap(OUTPUT, f"normalised = torch.where(variance == 0, 0.0, normalised)\n        {OUTPUT}"),
        caught_by="test_gradient_passes_a_constant_token",
        explanation="""Where the variance is 0 the normalised token is set to 0. The value is right, but a constant does not depend
        on x, so no gradient comes back to such a token.""",
    ),
    mistake(
        "the weight multiplies twice",
        swap(OUTPUT, "return self.weight * self.weight * normalised + self.bias"),
        caught_by="test_output_is_the_layer_norm_of_each_token",
        explanation="""The normalised token meets the weight twice. While the weight is 1 nothing is seen; once it has learned
        something, its square counts.""",
    ),
    mistake(
        "the bias is added twice",
        swap(OUTPUT, OUTPUT + " + self.bias"),
        caught_by="test_output_is_the_layer_norm_of_each_token",
        explanation="""The bias is added, and added again. While it is 0 nothing is seen.""",
    ),
    mistake(
        "weight and bias are exchanged in the product",
        swap(OUTPUT, "return self.bias * normalised + self.weight"),
        caught_by="test_each_token_has_mean_0_and_variance_1",
        explanation="""The bias multiplies and the weight is added. The weight scales, and the bias shifts.""",
    ),
    mistake(
        "weight and bias are exchanged at the start",
        swap(WEIGHT, "self.weight = nn.Parameter(torch.zeros(emb_dim))"),
        swap(BIAS, "self.bias = nn.Parameter(torch.ones(emb_dim))"),
        caught_by="test_a_fresh_layer_changes_nothing_after_normalising",
        explanation="""The weight starts at 0 and the bias at 1. Every token then comes out as ones, whatever went in.""",
    ),
    mistake(
        "the weight divides",
        swap(OUTPUT, "return normalised / self.weight + self.bias"),
        caught_by="test_output_is_the_layer_norm_of_each_token",
        explanation="""The normalised token is divided by the weight. While the weight is 1 nothing is seen.""",
    ),
    mistake(
        "the bias is scaled by the weight of the first feature",
        swap(OUTPUT, "return self.weight[0] * normalised + self.bias"),
        caught_by="test_output_is_the_layer_norm_of_each_token",
        explanation="""The weight of the first feature scales all of them. Each feature has a weight of its own.""",
    ),
    mistake(
        "the bias of the first feature for all",
        swap(OUTPUT, OUTPUT + "[0]"),
        caught_by="test_output_is_the_layer_norm_of_each_token",
        explanation="""The bias of the first feature is added to all of them. Each feature has a bias of its own.""",
    ),
    mistake(
        "the weight is cut off from training",
        swap(OUTPUT, "return self.weight.detach() * normalised + self.bias"),
        caught_by="test_gradients_are_those_of_layer_norm",
        explanation="""The weight is used as a plain number, so no gradient reaches it. It stays as it began.""",
    ),
    mistake(
        "the bias is cut off from training",
        swap(OUTPUT, OUTPUT + ".detach()"),
        caught_by="test_gradients_are_those_of_layer_norm",
        explanation="""The bias is used as a plain number, so no gradient reaches it. It stays as it began.""",
    ),
    mistake(
        "x is cut off from training",
        swap(MEAN, "x = x.detach()\n        " + MEAN),
        caught_by="test_gradients_are_those_of_layer_norm",
        explanation="""The layer works on a copy of x that autograd does not follow. What comes before the layer is not told what
        to change.""",
    ),
    mistake(
        "the output is cut off from training",
        swap(OUTPUT, "return (self.weight * normalised + self.bias).detach()"),
        caught_by="test_a_constant_token_stays_finite",
        explanation="""The output is cut off from what it was made of, as `no_grad`, `.detach()` and `.data` do. Nothing that comes
        before it can learn.""",
    ),
    mistake(
        "eps is squared",
        swap(NORMALISED, "normalised = (x - mean) / torch.sqrt(variance + self.eps**2)"),
        caught_by="test_each_token_has_mean_0_and_variance_1",
        explanation="""The square of eps is added to the variance. eps itself is meant to be of the size of a variance.""",
    ),
    mistake(
        "the root of eps is added to the variance",
        swap(NORMALISED, "normalised = (x - mean) / torch.sqrt(variance + self.eps**0.5)"),
        caught_by="test_each_token_has_mean_0_and_variance_1",
        explanation="""The root of eps is added to the variance. eps itself is meant to be of the size of a variance.""",
    ),
    mistake(
        "eps is subtracted",
        swap(NORMALISED, "normalised = (x - mean) / torch.sqrt((variance - self.eps).clamp(min=0))"),
        caught_by="test_each_token_has_mean_0_and_variance_1",
        explanation="""eps is taken off the variance. It is there to keep the divisor from being 0, so it has to be added.""",
    ),
    mistake(
        "the variance is multiplied by 1 + eps",
        swap(NORMALISED, "normalised = (x - mean) / torch.sqrt(variance * (1 + self.eps))"),
        caught_by="test_each_token_has_mean_0_and_variance_1",
        explanation="""eps makes the variance larger in proportion. A variance of 0 stays 0 that way, and the division fails.""",
    ),
    mistake(
        "eps is added to the distance",
        swap(NORMALISED, "normalised = (x - mean + self.eps) / torch.sqrt(variance + self.eps)"),
        caught_by="test_each_token_has_mean_0_and_variance_1",
        explanation="""eps is added above the line, too or instead. Its only place is beside the variance.""",
    ),
    mistake(
        "divided by n + 1",
        swap(VARIANCE, "variance = (x - mean).pow(2).sum(dim=-1, keepdim=True) / (x.shape[-1] + 1)"),
        caught_by="test_each_token_has_mean_0_and_variance_1",
        explanation="""The squares are divided by one more than there are features. A mean is the sum divided by how many there
        are.""",
    ),
    mistake(
        "the sum of the squares, not their mean",
        swap(VARIANCE, "variance = (x - mean).pow(2).sum(dim=-1, keepdim=True)"),
        caught_by="test_each_token_has_mean_0_and_variance_1",
        explanation="""The squares are added up and not divided by how many there are. The more features, the smaller the output.""",
    ),
    mistake(
        "the mean divides by n - 1",
        swap(MEAN, "mean = x.sum(dim=-1, keepdim=True) / max(x.shape[-1] - 1, 1)"),
        caught_by="test_each_token_has_mean_0_and_variance_1",
        explanation="""The sum of the features is divided by one less than there are. That is for variances, where somebody asks
        for it; a mean divides by all of them.""",
    ),
    mistake(
        "the median for the mean",
        swap(MEAN, "mean = x.median(dim=-1, keepdim=True).values"),
        caught_by="test_each_token_has_mean_0_and_variance_1",
        explanation="""The middle feature is subtracted. The mean is the sum divided by how many there are.""",
    ),
    mistake(
        "the largest for the mean",
        swap(MEAN, "mean = x.amax(dim=-1, keepdim=True)"),
        caught_by="test_each_token_has_mean_0_and_variance_1",
        explanation="""The largest feature is subtracted, as in a softmax. A layer norm subtracts the mean.""",
    ),
    mistake(
        "scaled to lie between 0 and 1",
        swap(
            NORMALISED,
            "normalised = (x - x.amin(-1, keepdim=True)) / (x.amax(-1, keepdim=True) - x.amin(-1, keepdim=True) + self.eps)",
        ),
        caught_by="test_each_token_has_mean_0_and_variance_1",
        explanation="""The smallest feature becomes 0 and the largest 1. Normalised here means mean 0 and variance 1.""",
    ),
    mistake(
        "divided by the largest distance",
        swap(NORMALISED, "normalised = (x - mean) / ((x - mean).abs().amax(-1, keepdim=True) + self.eps)"),
        caught_by="test_each_token_has_mean_0_and_variance_1",
        explanation="""The distances to the mean are divided by the largest of them. It is the root of their mean square that
        divides.""",
    ),
    mistake(
        "the mean is added",
        swap(NORMALISED, "normalised = (x + mean) / torch.sqrt(variance + self.eps)"),
        caught_by="test_each_token_has_mean_0_and_variance_1",
        explanation="""The mean is added to x, not subtracted. What comes out has twice the mean, not none.""",
    ),
    mistake(
        "the sign is wrong",
        swap(NORMALISED, "normalised = (mean - x) / torch.sqrt(variance + self.eps)"),
        caught_by="test_output_is_the_layer_norm_of_each_token",
        explanation="""x is subtracted from the mean. Every feature comes out with the wrong sign.""",
    ),
    mistake(
        "normalised twice",
        swap(
            OUTPUT,
            "normalised = (normalised - normalised.mean(dim=-1, keepdim=True)) / torch.sqrt(normalised.var(dim=-1, keepdim=True, unbiased=False) + self.eps)\n        "
            + OUTPUT,
        ),
        caught_by="test_each_token_has_mean_0_and_variance_1",
        explanation="""What is normalised is normalised again. The second time only undoes what eps did the first time.""",
    ),
    mistake(
        "the fourth root",
        swap(NORMALISED, "normalised = (x - mean) / torch.sqrt(torch.sqrt(variance + self.eps))"),
        caught_by="test_each_token_has_mean_0_and_variance_1",
        explanation="""The root is taken twice, as where a standard deviation is taken for a variance. Once gives the standard
        deviation.""",
    ),
    mistake(
        "divided by the root of the mean's size",
        swap(NORMALISED, "normalised = (x - mean) / torch.sqrt(mean.pow(2) + self.eps)"),
        caught_by="test_each_token_has_mean_0_and_variance_1",
        explanation="""x is divided by the size of its mean. The spread around the mean is what has to become 1.""",
    ),
    mistake(
        "the last feature is left out",
        swap(MEAN, "mean = x[..., :-1].mean(dim=-1, keepdim=True)"),
        caught_by="test_each_token_has_mean_0_and_variance_1",
        explanation="""The mean is taken over all features but the last. Every feature counts.""",
    ),
    mistake(
        "normalised in training only",
        swap(OUTPUT, "if not self.training:\n            return x\n        " + OUTPUT),
        caught_by="test_eval_mode_changes_nothing",
        explanation="""In eval mode x comes back as it is. A layer norm does the same in training and afterwards; only dropout is
        for training.""",
    ),
    mistake(
        "the mean loses its axis",
        swap(MEAN, "mean = x.mean(dim=-1)"),
        caught_by="test_x_is_left_alone",
        explanation="""The mean has the shape (B, T), which does not line up with (B, T, D). `keepdim` keeps the axis over which it
        was taken.""",
    ),
    mistake(
        "the variance loses its axis",
        swap(VARIANCE, "variance = (x - mean).pow(2).mean(dim=-1)"),
        caught_by="test_x_is_left_alone",
        explanation="""The variance has the shape (B, T), which does not line up with (B, T, D). `keepdim` keeps the axis over
        which it was taken.""",
    ),
    mistake(
        "large outputs are cut off",
        swap(OUTPUT, "normalised = normalised.clamp(-1, 1)\n        " + OUTPUT),
        caught_by="test_each_token_has_mean_0_and_variance_1",
        explanation="""Normalised features beyond ±1 are cut off. A variance of 1 means that some lie further out.""",
    ),
    mistake(
        "computed in float16",
        swap(MEAN, "x = x.half().to(x.dtype)\n        " + MEAN),
        caught_by="test_each_token_has_mean_0_and_variance_1",
        explanation="""x is rounded to half precision before anything is computed. The layer should work in the precision of its
        input.""",
    ),
    mistake(
        "weight and bias are plain tensors",
        swap(WEIGHT, "self.weight = torch.ones(emb_dim)"),
        swap(BIAS, "self.bias = torch.zeros(emb_dim)"),
        caught_by="test_weight_and_bias_are_trained",
        explanation="""Both are tensors that the module does not know about. The layer works, and no optimizer ever changes them.""",
    ),
    mistake(
        "weight and bias are frozen",
        swap(WEIGHT, "self.weight = nn.Parameter(torch.ones(emb_dim), requires_grad=False)"),
        swap(BIAS, "self.bias = nn.Parameter(torch.zeros(emb_dim), requires_grad=False)"),
        caught_by="test_weight_and_bias_are_trained",
        explanation="""Both are parameters that ask for no gradient. Training has nothing to change them by.""",
    ),
    mistake(
        "the features are counted from the front",
        swap(MEAN, "mean = x.mean(dim=2, keepdim=True)"),
        swap(VARIANCE, "variance = (x - mean).pow(2).mean(dim=2, keepdim=True)"),
        caught_by="test_any_dimensions_may_come_before_the_features",
        explanation="""Mean and variance are taken over dimension 2, which holds the features of a batch of sequences and of
        nothing else. The last dimension is -1, however many there are.""",
    ),
    mistake(
        "x must have three dimensions",
        swap(MEAN, "B, T, D = x.shape\n        " + MEAN),
        caught_by="test_any_dimensions_may_come_before_the_features",
        explanation="""The shape of x is taken apart into batch, tokens and features. Any number of dimensions may come before the
        features.""",
    ),
    # Any other number
    family(
        "eps is always {c}",
        swap(NORMALISED, "normalised = (x - mean) / torch.sqrt(variance + {c})"),
        constants=(1e-12, 1e-8, 1e-6, 1e-5, 1e-3, 0.01, 0.5),
        caught_by="test_tokens_of_any_size",
        explanation="""The number added to the variance is {c}, whatever `eps` is. The layer takes an `eps`, and whoever gives one
        means it.""",
    ),
    family(
        "eps is {c} by default",
        swap("eps: float = 1e-5", "eps: float = {c}"),
        constants=(1e-12, 1e-8, 1e-6, 1e-3, 0.1),
        caught_by="test_eps_is_a_hundred_thousandth_by_default",
        explanation="""Where nobody says otherwise `eps` is {c}. The weights of GPT-2 were trained with 1e-5, and for small inputs
        another number gives other outputs.""",
    ),
    family(
        "eps counts {c} times",
        swap(NORMALISED, "normalised = (x - mean) / torch.sqrt(variance + {c} * self.eps)"),
        constants=(0.1, 0.5, 2.0, 10.0),
        caught_by="test_tokens_of_any_size",
        explanation="""eps is multiplied by {c} before it is added to the variance. It is added as it is.""",
    ),
    family(
        "the power {c} for the root",
        swap(NORMALISED, "normalised = (x - mean) / (variance + self.eps) ** {c}"),
        constants=(-0.5, 0.1, 0.4, 0.75, 2.0),
        caught_by=NORMALISES,
        explanation="""The token is divided by the power {c} of its variance. The root, the power 0.5, makes the spread 1.""",
    ),
    mistake(
        "divided by its length, eps outside",
        swap(NORMALISED, "normalised = (x - mean) / ((x - mean).norm(dim=-1, keepdim=True) + self.eps)"),
        caught_by=NORMALISES,
        explanation="""The token is divided by its length, the root of the sum of the squares. The standard deviation is the root of
        their mean.""",
    ),
    mistake(
        "the mean distance, and eps is added to it",
        swap(NORMALISED, "normalised = (x - mean) / ((x - mean).abs().mean(dim=-1, keepdim=True) + self.eps)"),
        caught_by=NORMALISES,
        explanation="""The spread is measured by the mean absolute distance from the mean. The standard deviation squares the
        distances before it averages them.""",
    ),
]
