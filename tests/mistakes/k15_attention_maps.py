"""k15: what people get wrong about attention maps."""

from dojo.spec import mistake, swap

EVAL = "    model.eval()  # dropout passes the weights on as they are\n"
HOOK = "block.attention.dropout.register_forward_hook(catch)"
NO_GRAD = "with torch.no_grad():"
FINALLY = "    finally:\n"
REMOVE = "        for hook in hooks:\n            hook.remove()\n"
MODES = "        for module, training in modes:\n            module.training = training\n"
STACK = "return torch.stack(caught)  # (layers, B, h, T, T)"
RECEIVED = "received = weights.mean(dim=(0, 2)).sum(dim=1)  # (B, T, T), then (B, T)"
VIEWERS = "viewers = torch.arange(T, 0, -1, device=weights.device)  # (T,): token j is seen by T − j tokens"
RESULT = "return received / viewers"
AXES = "if ax is None:"
IMAGE = "image = ax.imshow(weights.detach().cpu().numpy(), vmin=0)"
X_TICKS = "ax.set_xticks(range(len(tokens)), labels, rotation=90)"
Y_TICKS = "ax.set_yticks(range(len(tokens)), labels)"
RETURN = "    return ax\n"
LABELS = "labels = [repr(token) for token in tokens]"

MAPS = "test_maps_are_the_weights_of_every_layer_and_head"
AS_BEFORE = "test_the_model_is_as_it_was"
NO_GRADIENTS = "test_maps_hold_no_gradients"
IMPORTANCE = "test_importance_is_the_mean_over_those_who_can_see"
COLOURS = "test_colours_are_the_weights"
TICKS = "test_ticks_carry_the_tokens"


def stacked(name, result, explanation):
    """A mistake in what is made of the maps that were caught."""
    return mistake(name, swap(STACK, f"return {result}"), caught_by=MAPS, explanation=explanation)


def rated(name, old, new, explanation):
    """A mistake in the importance."""
    return mistake(name, swap(old, new), caught_by=IMPORTANCE, explanation=explanation)


def drawn(name, picture, explanation):
    """A mistake in the numbers that are drawn."""
    image = f"image = ax.imshow({picture}.detach().cpu(), vmin=0)"
    return mistake(name, swap(IMAGE, image), caught_by=COLOURS, explanation=explanation)


MISTAKES = [
    # Step 1
    mistake(
        "caught while training",
        swap(EVAL, ""),
        caught_by="test_maps_are_the_weights_of_every_layer_and_head",
        explanation="""The model runs in the mode it happens to be in. In train mode dropout knocks holes into the weights
        and scales up the rest, so the rows no longer sum to 1.""",
    ),
    mistake(
        "the weights are caught before dropout, in train mode",
        swap(EVAL, ""),
        swap("caught.append(output)", "caught.append(inputs[0])"),
        caught_by="test_maps_are_the_weights_of_every_layer_and_head",
        explanation="""The weights are taken before their dropout, and the model still runs in train mode. The other
        dropouts of the model then change what the later layers look at.""",
    ),
    mistake(
        "layers and heads are swapped",
        swap(STACK, "return torch.stack(caught).transpose(0, 2)"),
        caught_by="test_maps_are_the_weights_of_every_layer_and_head",
        explanation="""The heads come first and the layers third. Both are small numbers, so that nobody notices until a
        map is read under the wrong name.""",
    ),
    mistake(
        "layers come after the texts",
        swap(STACK, "return torch.stack(caught, dim=1)"),
        caught_by="test_maps_are_the_weights_of_every_layer_and_head",
        explanation="""The layers are stacked as the second dimension. They come first, before the texts of the batch.""",
    ),
    mistake(
        "layers come after the heads",
        swap(STACK, "return torch.stack(caught, dim=2)"),
        caught_by="test_maps_are_the_weights_of_every_layer_and_head",
        explanation="""The layers are stacked as the third dimension. They come first, before the texts and their
        heads.""",
    ),
    mistake(
        "the layers are glued to the batch",
        swap(STACK, "return torch.cat(caught)"),
        caught_by="test_maps_are_the_weights_of_every_layer_and_head",
        explanation="""The layers are put one after the other along the batch, without a dimension of their own. Which map
        belongs to which layer can no longer be seen.""",
    ),
    mistake(
        "the layers come as a list",
        swap(STACK, "return caught"),
        caught_by="test_maps_are_the_weights_of_every_layer_and_head",
        explanation="""What comes back is a Python list with a tensor for each layer. One tensor is asked for, with the layers as its
        first dimension.""",
    ),
    mistake(
        "only the last layer",
        swap(STACK, "return torch.stack(caught[-1:])"),
        caught_by="test_maps_are_the_weights_of_every_layer_and_head",
        explanation="""Only the last layer's weights come back. Every layer has maps of its own, and the early ones look
        different.""",
    ),
    mistake(
        "only the last layer, without a dimension for layers",
        swap(STACK, "return caught[-1]"),
        caught_by="test_maps_are_the_weights_of_every_layer_and_head",
        explanation="""Each layer's weights take the place of those before, and the last one's come back alone. What is
        asked for is all of them, layers first.""",
    ),
    mistake(
        "the last layer comes first",
        swap(STACK, "return torch.stack(caught[::-1])"),
        caught_by="test_maps_are_the_weights_of_every_layer_and_head",
        explanation="""The layers come in reverse order. Layer 0 is the first block of the model.""",
    ),
    mistake(
        "the heads are averaged",
        swap(STACK, "return torch.stack(caught).mean(dim=2)"),
        caught_by="test_maps_are_the_weights_of_every_layer_and_head",
        explanation="""The mean over the heads comes back. Heads look for different things, and in their mean that cannot
        be seen.""",
    ),
    mistake(
        "only the first text",
        swap(STACK, "return torch.stack(caught)[:, :1]"),
        caught_by="test_maps_are_the_weights_of_every_layer_and_head",
        explanation="""The maps of the first text of the batch come back. Each text has maps of its own.""",
    ),
    mistake(
        "rows and columns are swapped",
        swap(STACK, "return torch.stack(caught).transpose(-1, -2)"),
        caught_by="test_maps_are_the_weights_of_every_layer_and_head",
        explanation="""Each map is turned over, so that its columns sum to 1. A row belongs to the token that looks, a column
        to the one that is looked at.""",
    ),
    mistake(
        "the mixed values are caught, not the weights",
        swap(HOOK, "block.attention.register_forward_hook(catch)"),
        caught_by="test_maps_are_the_weights_of_every_layer_and_head",
        explanation="""The hook hangs on the attention as a whole, or behind it, and catches what it hands on. By then the
        weights have been used and thrown away.""",
    ),
    mistake(
        "every dropout is caught",
        swap("for block in model.blocks:", "for module in model.modules():"),
        swap(HOOK, "module.register_forward_hook(catch)) if isinstance(module, nn.Dropout) else (None"),
        swap(REMOVE, REMOVE.replace("hook.remove()", "hook and hook.remove()")),
        caught_by="test_maps_are_the_weights_of_every_layer_and_head",
        explanation="""A hook hangs on each dropout of the model, also on those through which no attention weights pass. Each block has
        one for the weights, in its attention.""",
    ),
    mistake(
        "the maps need gradients",
        swap(NO_GRAD, "with torch.enable_grad():"),
        caught_by="test_maps_hold_no_gradients",
        explanation="""The model runs with gradients on, and each map holds on to the whole graph behind it. Maps are for
        looking at: that memory is wasted, and matplotlib refuses such tensors.""",
    ),
    mistake(
        "the parameters are frozen",
        swap(NO_GRAD, "if model.requires_grad_(False):"),
        caught_by="test_maps_hold_no_gradients",
        explanation="""The parameters are told to ask for no gradient, and stay like that. Whoever trains on afterwards finds nothing to
        train.""",
    ),
    mistake(
        "hooks stay",
        swap(REMOVE, ""),
        caught_by="test_no_hook_stays",
        explanation="""The hooks are never removed. They go on catching in every later run, and memory fills up.""",
    ),
    mistake(
        "other people's hooks are removed too",
        swap(
            REMOVE,
            "        for block in model.blocks:\n            block.attention.dropout._forward_hooks.clear()\n",
        ),
        caught_by="test_no_hook_stays",
        explanation="""Every hook on the module is removed, whoever hung it there. Only one's own are one's own to
        remove.""",
    ),
    mistake(
        "the model stays in eval mode",
        swap(MODES, ""),
        caught_by="test_the_model_is_as_it_was",
        explanation="""The model is put into eval mode and left there. If it was in the middle of training, it goes on
        without dropout.""",
    ),
    mistake(
        "the model ends in train mode",
        swap(MODES, "        model.train()\n"),
        caught_by="test_the_model_is_as_it_was",
        explanation="""The model is put into train mode at the end, whatever it was in before. A model that was in use would
        answer with dropout from now on.""",
    ),
    mistake(
        "dropout is switched off for good",
        swap(EVAL, EVAL + "    for block in model.blocks:\n        block.attention.dropout.p = 0.0\n"),
        caught_by="test_the_model_is_as_it_was",
        explanation="""The rate of each dropout is set to 0 and not set back. A training that goes on afterwards goes on
        without dropout.""",
    ),
    mistake(
        "the random numbers are seeded",
        swap(EVAL, EVAL + "    torch.manual_seed(0)\n"),
        caught_by="test_random_numbers_are_left_alone",
        explanation="""torch's random numbers are seeded on the way. In eval mode nothing is drawn, and a run that looks at
        its maps becomes another run than one that does not.""",
    ),
    mistake(
        "an error leaves hooks and mode behind",
        swap(FINALLY, "    except KeyError:\n        raise\n    else:\n"),
        caught_by="test_no_hook_stays_after_an_error",
        explanation="""Tidying up comes after the run, and an error in the run skips it. The hooks stay on the model and it
        stays in eval mode.""",
    ),
    mistake(
        "an error leaves its hooks behind",
        swap(REMOVE, ""),
        swap(STACK, "[hook.remove() for hook in hooks]\n    return torch.stack(caught)"),
        caught_by="test_no_hook_stays_after_an_error",
        explanation="""The hooks are removed after the run, and an error in the run skips that. They stay on the model and
        catch in every later run.""",
    ),
    mistake(
        "an error leaves eval mode behind",
        swap(MODES, ""),
        swap(
            STACK,
            "for module, training in modes:\n        module.training = training\n    return torch.stack(caught)",
        ),
        caught_by="test_the_mode_is_as_before_after_an_error",
        explanation="""The mode is set back after the run, and an error in the run skips that. The model stays in eval
        mode.""",
    ),
    mistake(
        "an error leaves gradients off",
        swap(NO_GRAD, "if torch.set_grad_enabled(False):"),
        swap(FINALLY, "        torch.set_grad_enabled(True)\n" + FINALLY),
        caught_by="test_gradients_are_on_after_an_error",
        explanation="""Gradients are turned off and, after the run, on again; an error in the run skips that. `with torch.no_grad()`
        ends in any case.""",
    ),
    mistake(
        "the model's error is swallowed",
        swap(FINALLY, "    except Exception:\n        pass\n    if True:\n"),
        caught_by="test_no_hook_stays_after_an_error",
        explanation="""What the model raises is caught and kept quiet. Whoever asked gets half the maps, or another error
        further on, and does not hear why.""",
    ),
    # Step 2
    mistake(
        "everyone counts as a viewer",
        swap(VIEWERS, "viewers = T"),
        caught_by="test_importance_is_the_mean_over_those_who_can_see",
        explanation="""The weights on a token are averaged over all tokens, also those that cannot see it. The last token,
        which only itself can see, then hardly ever matters.""",
    ),
    mistake(
        "a sum instead of a mean",
        swap(RESULT, "return received"),
        caught_by="test_importance_is_the_mean_over_those_who_can_see",
        explanation="""The weights on a token are added up and not averaged. Early tokens are seen by more tokens, so they
        collect more.""",
    ),
    mistake(
        "summed over layers and heads too",
        swap(RECEIVED, "received = weights.sum(dim=(0, 2)).sum(dim=1)"),
        caught_by="test_importance_is_the_mean_over_those_who_can_see",
        explanation="""Layers and heads are added up and not averaged. The result then grows with the size of the
        model.""",
    ),
    mistake(
        "how much a token looks, not how much it is looked at",
        swap(RECEIVED, "received = weights.mean(dim=(0, 2)).sum(dim=2)"),
        caught_by="test_importance_is_the_mean_over_those_who_can_see",
        explanation="""Each row is added up, and rows sum to 1 whatever the token. What others have on a token stands in its
        column.""",
    ),
    mistake(
        "the viewers are counted from the wrong end",
        swap(VIEWERS, "viewers = torch.arange(1, T + 1)"),
        caught_by="test_importance_is_the_mean_over_those_who_can_see",
        explanation="""Each token is divided by how many tokens it can see. What counts is how many can see it.""",
    ),
    mistake(
        "one viewer too many",
        swap(VIEWERS, "viewers = torch.arange(T, 0, -1) + 1"),
        caught_by="test_importance_is_the_mean_over_those_who_can_see",
        explanation="""The number of tokens that can see a token is one too high. The last one is seen by one token,
        itself.""",
    ),
    mistake(
        "one viewer too few",
        swap(VIEWERS, "viewers = torch.arange(T - 1, -1, -1).clamp(min=1)"),
        caught_by="test_importance_is_the_mean_over_those_who_can_see",
        explanation="""The number of tokens that can see a token is one too low, as if none saw itself. Its own look at itself is in the
        sum and counts.""",
    ),
    mistake(
        "only the last token is asked",
        swap(RESULT, "return weights[:, :, :, -1].mean(dim=(0, 2))"),
        caught_by="test_importance_is_the_mean_over_those_who_can_see",
        explanation="""What the last token looks at is taken for the importance. Every token from j on can look at token j, and all of
        them count.""",
    ),
    mistake(
        "importance is made to reach 1",
        swap(RESULT, "return received / viewers / (received / viewers).amax(dim=-1, keepdim=True)"),
        caught_by="test_importance_is_the_mean_over_those_who_can_see",
        explanation="""The importances of a text are divided by the largest. That shows which is first; the mean weight itself is asked
        for.""",
    ),
    mistake(
        "only those who did look are counted",
        swap(VIEWERS, "viewers = (weights.mean(dim=(0, 2)) > 0).sum(dim=1)"),
        caught_by="test_importance_is_the_mean_over_those_who_can_see",
        explanation="""Tokens are counted as viewers where their weight is above 0. A token that can see another and has
        the weight 0 on it is one of those over whom the mean is taken.""",
    ),
    mistake(
        "a look at oneself does not count",
        swap(RECEIVED, "received = weights.tril(-1).mean(dim=(0, 2)).sum(dim=1)"),
        swap(VIEWERS, "viewers = (torch.arange(T, 0, -1) - 1).clamp(min=1)"),
        caught_by="test_importance_is_the_mean_over_those_who_can_see",
        explanation="""The diagonal is left out. A token can see itself, so it is one of those over whom the mean is
        taken.""",
    ),
    mistake(
        "importance of the last layer",
        swap(RECEIVED, "received = weights[-1].mean(dim=1).sum(dim=1)"),
        caught_by="test_importance_is_the_mean_over_those_who_can_see",
        explanation="""Only the last layer is looked at. The mean is over all layers.""",
    ),
    mistake(
        "importance of the first head",
        swap(RECEIVED, "received = weights[:, :, 0].mean(dim=0).sum(dim=1)"),
        caught_by="test_importance_is_the_mean_over_those_who_can_see",
        explanation="""Only the first head of each layer is looked at. The mean is over all heads.""",
    ),
    mistake(
        "the strongest head decides",
        swap(RECEIVED, "received = weights.amax(dim=2).mean(dim=0).sum(dim=1)"),
        caught_by="test_importance_is_the_mean_over_those_who_can_see",
        explanation="""The largest weight among the heads is taken for each look. The mean is over all heads.""",
    ),
    mistake(
        "importance is made to sum to 1",
        swap(RESULT, "return received / viewers / (received / viewers).sum(dim=-1, keepdim=True)"),
        caught_by="test_importance_is_the_mean_over_those_who_can_see",
        explanation="""The result is scaled so that it sums to 1. It is then no longer a mean weight, and texts of different
        lengths cannot be compared.""",
    ),
    mistake(
        "the texts are averaged",
        swap(RECEIVED, "received = weights.mean(dim=(0, 1, 2)).sum(dim=0)"),
        caught_by="test_importance_is_the_mean_over_those_who_can_see",
        explanation="""The mean runs over the batch too. Each text has tokens of its own, and so its own importances.""",
    ),
    mistake(
        "layers or heads are kept apart",
        swap(RECEIVED, "received = weights.mean(dim=0).sum(dim=2)"),
        caught_by="test_importance_is_the_mean_over_those_who_can_see",
        explanation="""There is a number for each head. The mean is over layers and heads alike, one number a token.""",
    ),
    # Step 3
    mistake(
        "x and y are swapped",
        swap(IMAGE, "image = ax.imshow(weights.T.detach().cpu().numpy(), vmin=0)"),
        caught_by="test_colours_are_the_weights",
        explanation="""The image is turned over: the tokens that look are on x. In `imshow` a row of the matrix is a row of
        the picture, and columns run along x.""",
    ),
    mistake(
        "the image stands on its head",
        swap(IMAGE, "image = ax.imshow(weights.flip(0).detach().cpu().numpy(), vmin=0)"),
        caught_by="test_colours_are_the_weights",
        explanation="""The rows of the image are reversed, and the labels beside them are not. Each row then stands beside
        another token's name.""",
    ),
    mistake(
        "colours are logarithms",
        swap(IMAGE, "image = ax.imshow((weights + 1e-9).log().detach().cpu().numpy())"),
        caught_by="test_colours_are_the_weights",
        explanation="""The colour is the logarithm of the weight. Weights that are as good as nothing then look
        important.""",
    ),
    mistake(
        "each row is stretched to 1",
        swap(IMAGE, "image = ax.imshow((weights / weights.amax(dim=-1, keepdim=True)).detach().cpu().numpy(), vmin=0)"),
        caught_by="test_colours_are_the_weights",
        explanation="""Each row is divided by its largest weight. Rows that spread their attention then look as sharp as
        those that do not.""",
    ),
    mistake(
        "no tokens on x",
        swap(X_TICKS, "ax.set_xticks(range(len(tokens)))"),
        caught_by="test_ticks_carry_the_tokens",
        explanation="""The ticks on x carry numbers. Without the tokens' text nobody can tell what is looked at.""",
    ),
    mistake(
        "no tokens on y",
        swap(Y_TICKS, "ax.set_yticks(range(len(tokens)))"),
        caught_by="test_ticks_carry_the_tokens",
        explanation="""The ticks on y carry numbers. Without the tokens' text nobody can tell who is looking.""",
    ),
    mistake(
        "no tokens at all",
        swap(X_TICKS, "ax.set_xticks(range(len(tokens)))"),
        swap(Y_TICKS, "ax.set_yticks(range(len(tokens)))"),
        caught_by="test_ticks_carry_the_tokens",
        explanation="""The ticks carry numbers on both axes. Without the tokens' text the map cannot be read.""",
    ),
    mistake(
        "the tokens on y are in reverse",
        swap(Y_TICKS, "ax.set_yticks(range(len(tokens)), labels[::-1])"),
        caught_by="test_ticks_carry_the_tokens",
        explanation="""The labels on y run from the last token to the first. Row 0 of the image is the first token.""",
    ),
    mistake(
        "a token that comes again has no tick",
        swap(LABELS, "labels = [repr(token) for token in dict.fromkeys(tokens)]"),
        swap(X_TICKS, "ax.set_xticks(range(len(labels)), labels, rotation=90)"),
        swap(Y_TICKS, "ax.set_yticks(range(len(labels)), labels)"),
        caught_by="test_ticks_carry_the_tokens",
        explanation="""Each text gets one tick, however often it stands in the sequence. The map has a row and a column for
        every token, and those after a repeated one are under the wrong name or under none.""",
    ),
    mistake(
        "the labels are stripped",
        swap(LABELS, "labels = [token.strip() for token in tokens]"),
        caught_by="test_ticks_carry_the_tokens",
        explanation="""White space is taken off the labels. A token that is a space then has an empty one, and nobody can
        tell who is looked at there.""",
    ),
    mistake(
        "the colours begin at 1",
        swap("vmin=0", "vmin=1"),
        caught_by="test_a_large_weight_does_not_look_like_a_small_one",
        explanation="""The scale of colours begins at 1, and no weight is larger. Everything on the map gets the lowest
        colour, whatever its weight.""",
    ),
    mistake(
        "the colours end long before 1",
        swap("vmin=0", "vmin=0, vmax=0.001"),
        caught_by="test_a_large_weight_does_not_look_like_a_small_one",
        explanation="""The scale of colours ends at a small weight. Whatever is larger gets the highest colour, and so a
        weight of a quarter looks like one of three quarters.""",
    ),
    mistake(
        "the names of x and y are exchanged",
        swap('ax.set_xlabel("input token (looked at)")', 'ax.set_xlabel("output token (looking)")'),
        swap('ax.set_ylabel("output token (looking)")', 'ax.set_ylabel("input token (looked at)")'),
        caught_by="test_the_names_of_the_axes_are_not_exchanged",
        explanation="""`imshow` puts columns on x and rows on y. A row is an output token, one that looks, so output tokens
        stand on y; the names say the opposite, and whoever reads the picture turns every look around.""",
    ),
    mistake(
        "the first token is at the right",
        swap("    ax.figure.colorbar", "    ax.invert_xaxis()\n    ax.figure.colorbar"),
        caught_by="test_every_cell_can_be_seen",
        explanation="""The axis x is turned around, so the text runs from right to left.""",
    ),
    mistake(
        "the border cells are cut",
        swap("    ax.figure.colorbar", "    ax.set_xlim(0, len(tokens) - 1)\n    ax.figure.colorbar"),
        caught_by="test_every_cell_can_be_seen",
        explanation="""A cell reaches half a step to both sides of its tick. With the limits at the first and the last tick,
        half of the first and of the last cell is outside the picture.""",
    ),
    mistake(
        "a batch of one loses its dimension",
        swap("torch.stack(caught)", "torch.stack([one.squeeze(0) for one in caught])"),
        caught_by="test_maps_are_the_weights_of_every_layer_and_head",
        explanation="""`squeeze(0)` takes the batch away when it holds one text, and does nothing otherwise.""",
    ),
    mistake(
        "only the ticks of x",
        swap("    ax.set_yticks(range(len(tokens)), labels)\n", ""),
        caught_by="test_ticks_carry_the_tokens",
        explanation="""The axis y keeps the numbers that matplotlib puts there: its ticks need the tokens as well.""",
    ),
    mistake(
        "the ticks of x begin at 1",
        swap("ax.set_xticks(range(len(tokens))", "ax.set_xticks(range(1, len(tokens) + 1)"),
        caught_by="test_colours_are_the_weights",
        explanation="""`imshow` puts column 0 at x = 0. With ticks from 1 on each token stands below the column of the next
        one, and the last below none.""",
    ),
    mistake(
        "the ticks of y begin at 1",
        swap("ax.set_yticks(range(len(tokens))", "ax.set_yticks(range(1, len(tokens) + 1)"),
        caught_by="test_colours_are_the_weights",
        explanation="""`imshow` puts row 0 at y = 0. With ticks from 1 on each token stands beside the row of the next one,
        and the last beside none.""",
    ),
    mistake(
        "the axes that were given are not used",
        swap(AXES, "if True:"),
        caught_by="test_the_axes_come_back",
        explanation="""A new figure is made each time, and the axes that were handed over stay empty. Whoever lays several
        maps side by side gets none of them.""",
    ),
    mistake(
        "nothing is returned",
        swap(RETURN, ""),
        caught_by="test_the_axes_come_back",
        explanation="""The picture is drawn and nothing comes back. Without the axes nobody can put a title to it or save
        it.""",
    ),
    mistake(
        "the figure is returned",
        swap(RETURN, "    return ax.figure\n"),
        caught_by="test_the_axes_come_back",
        explanation="""The figure comes back, and not the axes in it. With several maps in a figure it would not be known
        which is meant.""",
    ),
    mistake(
        "the image is returned",
        swap(RETURN, "    return image\n"),
        caught_by="test_the_axes_come_back",
        explanation="""What `imshow` gives comes back, and not the axes. The ticks and titles belong to the axes.""",
    ),
    mistake(
        "forward is replaced for good",
        swap(
            f"hooks.append({HOOK})",
            "dropout = block.attention.dropout\n"
            "            dropout.forward = lambda x, dropout=dropout: (caught.append(x), type(dropout).forward(dropout, x))[1]",
        ),
        caught_by="test_the_model_is_as_it_was",
        explanation="""A `forward` of your own is put over that of the dropout and stays there, catching in every later run.
        A hook is made for that and can be removed.""",
    ),
    mistake(
        "the maps are left on the model",
        swap(STACK, "model.maps_seen = torch.stack(caught)\n    return model.maps_seen"),
        caught_by="test_the_model_is_as_it_was",
        explanation="""The model gets a new attribute, which keeps the maps in memory as long as the model. It should be left
        as it was.""",
    ),
    mistake(
        "some errors of the model are swallowed",
        swap(FINALLY, "    except RuntimeError:\n        pass\n" + FINALLY),
        caught_by="test_no_hook_stays_after_an_error",
        explanation="""An error of the model is caught and not raised again, so whoever called learns nothing of it. `finally`
        clears up and lets the error through.""",
    ),
    mistake(
        "the labels are between the cells",
        swap(
            IMAGE, "image = ax.imshow(weights.detach().cpu().numpy(), vmin=0, extent=(0, len(tokens), len(tokens), 0))"
        ),
        caught_by="test_colours_are_the_weights",
        explanation="""The cells reach from one whole number to the next, and the ticks stand at whole numbers. A label then
        stands between two columns, and nobody can tell which of them is meant.""",
    ),
    mistake(
        "the axes are switched off",
        swap("    return ax\n    #", "    ax.set_axis_off()\n    return ax\n    #"),
        caught_by="test_ticks_carry_the_tokens",
        explanation="""The ticks are set and then hidden together with the axes. A map without tokens cannot be read.""",
    ),
    # Step 1, once more
    stacked(
        "only the first layer",
        "torch.stack(caught[:1])",
        """The maps of all layers but the first are thrown away. Every layer is asked for, layer 0 first.""",
    ),
    stacked(
        "the layers are averaged",
        "torch.stack(caught).mean(dim=0, keepdim=True).expand(len(caught), *caught[0].shape)",
        """All layers get the mean of their maps. Each layer has heads of its own, which look at other things.""",
    ),
    stacked(
        "the layers are added up",
        "torch.stack(caught).cumsum(dim=0)",
        """Each layer's map is added to those before it. The map of a layer is what that layer used.""",
    ),
    stacked(
        "the layers are multiplied together",
        "torch.stack([maps @ caught[n - 1] if n else maps for n, maps in enumerate(caught)])",
        """Each map is multiplied by that of the layer below, as where attention is followed back to the input. Asked for
        is the map of each layer itself.""",
    ),
    stacked(
        "only the first head",
        "torch.stack(caught)[:, :, :1]",
        """The maps of all heads but the first are thrown away. Every head is asked for.""",
    ),
    stacked(
        "the heads come in reverse",
        "torch.stack(caught).flip(2)",
        """The last head comes first. Head 0 is the first.""",
    ),
    stacked(
        "only the last text",
        "torch.stack(caught)[:, -1:]",
        """The maps of all texts but the last are thrown away. Every text of the batch has its own.""",
    ),
    stacked(
        "the logarithms of the weights",
        "torch.stack(caught).log()",
        """The weights come as logarithms, and those of later tokens as −inf. The weights themselves are asked for.""",
    ),
    stacked(
        "a second softmax",
        "torch.stack(caught).softmax(dim=-1)",
        """What is caught goes through another softmax. It has been through one already: the rows sum to 1, and the second
        gives weight to later tokens.""",
    ),
    stacked(
        "the maps are rounded",
        "torch.stack(caught).round(decimals=2)",
        """The weights are rounded to two digits. They are to be those that the model uses.""",
    ),
    stacked(
        "the maps are an array of numpy",
        "torch.stack(caught).numpy()",
        """The maps come back as an array of numpy. A tensor is asked for, which `importance` goes on with.""",
    ),
    mistake(
        "the model is run twice",
        swap("            model(ids)\n", "            model(ids)\n            model(ids)\n"),
        caught_by=MAPS,
        explanation="""The model runs twice while the hooks hang, and every map is caught twice. One run is enough.""",
    ),
    mistake(
        "the whole block is caught",
        swap(HOOK, "block.register_forward_hook(catch)"),
        caught_by=MAPS,
        explanation="""The hook hangs on the block and catches what it makes of x. The weights pass through the dropout inside
        its attention.""",
    ),
    mistake(
        "the last block has no hook",
        swap("for block in model.blocks:", "for block in model.blocks[: max(1, len(model.blocks) - 1)]:"),
        caught_by=MAPS,
        explanation="""The last block has no hook, so that its maps are missing. A range or a slice ended one too early.""",
    ),
    mistake(
        "the last hook only is removed",
        swap(REMOVE, "        hooks[-1].remove()\n"),
        caught_by="test_no_hook_stays",
        explanation="""One hook is removed, the last that was hung. The others go on catching in every later run.""",
    ),
    mistake(
        "one mode for the whole model",
        swap(MODES, "        model.train(modes[0][1])\n"),
        caught_by=AS_BEFORE,
        explanation="""The mode of the model is set back, and every part of it gets the same. Someone may have frozen one part
        in eval mode on purpose.""",
    ),
    mistake(
        "only the model's own mode is set back",
        swap(MODES, "        model.training = modes[0][1]\n"),
        caught_by=AS_BEFORE,
        explanation="""`training` is set back on the model alone, and its parts stay in eval mode. Each module has a mode of its
        own.""",
    ),
    mistake(
        "the modes of the blocks are not set back",
        swap(
            "            module.training = training\n",
            "            if module not in set(model.blocks.modules()):\n                module.training = training\n",
        ),
        caught_by=AS_BEFORE,
        explanation="""What is inside the blocks stays in eval mode. Each module has a mode of its own, at whatever depth.""",
    ),
    mistake(
        "the dropouts are replaced for good",
        swap(EVAL, EVAL + "    for block in model.blocks:\n        block.attention.dropout = nn.Identity()\n"),
        caught_by=AS_BEFORE,
        explanation="""The dropout of each attention is replaced by a module that hands everything on, and never comes back. The
        model then trains without it.""",
    ),
    mistake(
        "an error leaves the dropouts replaced",
        swap(
            "        for block in model.blocks:\n            hooks.append(block.attention.dropout.register_forward_hook(catch))\n",
            "        taken = [block.attention.dropout for block in model.blocks]\n"
            "        for block in model.blocks:\n"
            "            block.attention.dropout = nn.Identity()\n"
            "            hooks.append(block.attention.dropout.register_forward_hook(catch))\n",
        ),
        swap(
            "            model(ids)\n",
            "            model(ids)\n        for block, dropout in zip(model.blocks, taken):\n"
            "            block.attention.dropout = dropout\n",
        ),
        caught_by="test_the_model_is_whole_after_an_error",
        explanation="""Other modules stand in for the dropouts during the run, and an error in the model jumps over the lines that
        put them back. `finally` runs in any case.""",
    ),
    mistake(
        "the gradients are cleared",
        swap(EVAL, EVAL + "    model.zero_grad()\n"),
        caught_by=NO_GRADIENTS,
        explanation="""The model's gradients are cleared before the run. They belong to the training that may be going on
        around it.""",
    ),
    mistake(
        "gradients stay off",
        swap(NO_GRAD, "if torch.set_grad_enabled(False) is not None:"),
        caught_by=NO_GRADIENTS,
        explanation="""Gradients are turned off and not on again. Whoever trains on afterwards finds nothing to train with.""",
    ),
    mistake(
        "the model's error is replaced by another",
        swap(FINALLY, "    except Exception as error:\n        raise ValueError('no maps') from error\n" + FINALLY),
        caught_by="test_no_hook_stays_after_an_error",
        explanation="""An error of the model is caught and another raised in its place. Whoever waits for the model's own error
        waits in vain.""",
    ),
    # Step 2, once more
    rated(
        "the heads are added up",
        RECEIVED,
        "received = weights.sum(dim=2).mean(dim=0).sum(dim=1)",
        """The weights of the heads are added and not averaged. With h heads the importance is h times as large.""",
    ),
    rated(
        "the layers are added up in the importance",
        RECEIVED,
        "received = weights.sum(dim=0).mean(dim=1).sum(dim=1)",
        """The weights of the layers are added and not averaged. With more layers every token becomes more important.""",
    ),
    rated(
        "importance of the first layer",
        RECEIVED,
        "received = weights[0].mean(dim=1).sum(dim=1)",
        """Only the first layer is asked. All layers count.""",
    ),
    rated(
        "importance of the last head",
        RECEIVED,
        "received = weights[:, :, -1].mean(dim=0).sum(dim=1)",
        """Only the last head is asked. All heads count.""",
    ),
    rated(
        "the strongest layer decides",
        RECEIVED,
        "received = weights.amax(dim=0).mean(dim=1).sum(dim=1)",
        """Of each weight the largest over the layers is taken. The mean over them is asked for.""",
    ),
    rated(
        "the strongest look decides",
        RESULT,
        "return weights.amax(dim=(0, 2, 3))",
        """The importance is the largest weight that a token ever gets. The mean over all who can see it is asked for.""",
    ),
    rated(
        "only the look at oneself counts",
        RESULT,
        "return weights.mean(dim=(0, 2)).diagonal(dim1=-2, dim2=-1)",
        """The diagonal is read: how much each token looks at itself. Those who come later can see it too.""",
    ),
    rated(
        "only the first who can see it is asked besides itself",
        RECEIVED,
        "received = weights.tril().triu(-1).mean(dim=(0, 2)).sum(dim=1)",
        """The weights of the token itself and of the one behind it are added. All later ones can see it too.""",
    ),
    rated(
        "importance by softmax",
        RESULT,
        "return torch.softmax(received / viewers, dim=-1)",
        """The importance of the tokens goes through a softmax. The mean weights themselves are asked for.""",
    ),
    rated(
        "multiplied by the viewers",
        RESULT,
        "return received * viewers",
        """The sum is multiplied by the number of tokens that can see it. A mean is a sum divided by that.""",
    ),
    rated(
        "divided twice",
        RESULT,
        "return received / viewers / T",
        """The mean over those who can see a token is divided by the length of the text as well. It is a mean already.""",
    ),
    rated(
        "the root of the mean square",
        RESULT,
        "return (weights.square().mean(dim=(0, 2)).sum(dim=1) / viewers).sqrt()",
        """The weights are squared before they are averaged. Large looks then count for more than many small ones.""",
    ),
    rated(
        "the importance comes in reverse",
        RESULT,
        "return (received / viewers).flip(-1)",
        """The importance of the last token comes first. Token 0 is the first.""",
    ),
    # Step 3, once more
    mistake(
        "the tokens on x are in reverse",
        swap(X_TICKS, "ax.set_xticks(range(len(tokens)), labels[::-1], rotation=90)"),
        caught_by=TICKS,
        explanation="""The labels on x stand in reverse order. Column 0 is the first token.""",
    ),
    mistake(
        "the ticks are one cell late",
        swap(X_TICKS, "ax.set_xticks(range(1, len(tokens) + 1), labels, rotation=90)"),
        swap(Y_TICKS, "ax.set_yticks(range(1, len(tokens) + 1), labels)"),
        caught_by=COLOURS,
        explanation="""The ticks are counted from 1. The cells are counted from 0, so every label stands beside the next
        token's.""",
    ),
    mistake(
        "the last token has no tick",
        swap(X_TICKS, "ax.set_xticks(range(len(tokens) - 1), labels[:-1], rotation=90)"),
        swap(Y_TICKS, "ax.set_yticks(range(len(tokens) - 1), labels[:-1])"),
        caught_by=TICKS,
        explanation="""The last token has no tick. A range or a slice ended one too early.""",
    ),
    drawn(
        "the image is the wrong way round",
        "weights.flip(1)",
        """The columns are drawn in reverse order, and the labels are not. Column 0 is the first token that is looked
        at.""",
    ),
    drawn(
        "the image is turned by half a turn",
        "weights.flip(0, 1)",
        """Rows and columns are drawn in reverse order, and the labels are not. Row 0 is the first token that looks.""",
    ),
    drawn(
        "each column is stretched to 1",
        "(weights / weights.amax(dim=0, keepdim=True).clamp(min=1e-9))",
        """Each column is divided by its largest weight. Columns can then no longer be compared, and it is columns that tell
        which token many look at.""",
    ),
    drawn(
        "the roots of the weights are drawn",
        "weights.sqrt()",
        """The roots of the weights are drawn, which lifts the small ones. The colour stands for the weight itself.""",
    ),
    drawn(
        "softmax before the picture",
        "weights.softmax(dim=-1)",
        """The weights go through a softmax before they are drawn. They have been through one already.""",
    ),
    drawn(
        "what is missing to 1 is drawn",
        "(1 - weights)",
        """The colour stands for 1 minus the weight. A darker cell is done by another colour map; the number stays the
        weight.""",
    ),
    mistake(
        "the picture is drawn on the current axes",
        swap(
            'ax = Figure(layout="constrained").subplots()', "from matplotlib import pyplot\n\n        ax = pyplot.gca()"
        ),
        caught_by="test_the_axes_come_back",
        explanation="""The picture goes onto whatever axes are in use, and a second one over the first. Without `ax` it is drawn
        on a figure of its own.""",
    ),
    mistake(
        "the first layer for all",
        swap("return torch.stack(caught)", "return torch.stack(caught[:1] * len(caught))"),
        caught_by="test_maps_are_the_weights_of_every_layer_and_head",
        explanation="""The map of the first layer stands for every layer. Each has its own.""",
    ),
    mistake(
        "dimensions of size 1 are lost",
        swap("return torch.stack(caught)", "return torch.stack(caught).squeeze()"),
        caught_by="test_maps_are_the_weights_of_every_layer_and_head",
        explanation="""`squeeze` takes away every dimension of size 1: a single layer, text or token. The result always has five
        dimensions.""",
    ),
    mistake(
        "the largest over layers and heads",
        swap("weights.mean(dim=(0, 2))", "weights.amax(dim=(0, 2))"),
        caught_by="test_importance_is_the_mean_over_those_who_can_see",
        explanation="""The largest weight of all layers and heads counts. Importance is a mean over them.""",
    ),
    mistake(
        "summed over the wrong side, and divided by nothing",
        swap("weights.mean(dim=(0, 2)).sum(dim=1)", "weights.mean(dim=(0, 2)).sum(dim=2)"),
        swap("return received / viewers", "return received"),
        caught_by="test_importance_is_the_mean_over_those_who_can_see",
        explanation="""What a token gives away is summed, which is 1 for each. What counts is what it receives, from those who can see
        it.""",
    ),
    mistake(
        "colours are logarithms of at least a millionth",
        swap("weights.detach().cpu().numpy()", "weights.detach().cpu().clamp(min=1e-6).log().numpy()"),
        caught_by="test_colours_are_the_weights",
        explanation="""The colours show the logarithms of the weights, so that small ones can be seen. The picture is to show the weights.""",
    ),
    mistake(
        "labels without ticks of their own",
        swap(
            "ax.set_xticks(range(len(tokens)), labels, rotation=90)\n    ax.set_yticks(range(len(tokens)), labels)",
            "import warnings\n    warnings.simplefilter('ignore')\n    ax.set_xticklabels(labels)\n    ax.set_yticklabels(labels)",
        ),
        caught_by="test_ticks_carry_the_tokens",
        explanation="""The labels are set and the ticks left where matplotlib put them, which is not one for each token. Ticks and labels
        go together.""",
    ),
]
