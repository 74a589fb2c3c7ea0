"""Builds the optimizer of a stage: its options, a rate for each layer, an average of the weights.

Keras's own classes do the work. What they lack is added to them by `_Recipe`, and only where a
spec asks for it: a factor on the learning rate of each variable (scaled gradients would change
nothing for optimizers that divide by their size), and an average that forgets the start.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from workbench.experiment.optimizers import OPTIMIZERS
from workbench.experiment.plan import Stage, rate_factors
from workbench.experiment.spec import ExperimentSpec

Tensor = Any


def build_optimizer(
    spec: ExperimentSpec, stage: Stage, model: keras.Model
) -> keras.optimizers.Optimizer:
    """Return a new optimizer for a model whose `trainable` is set.

    Weight decay is decoupled from the gradient (Loshchilov and Hutter, arXiv 1711.05101) and
    spares vectors: biases, and the scales of normalizations.
    """
    training, info = spec.training, OPTIMIZERS[stage.optimizer]
    # Named: Keras numbers unnamed ones, and the number would be in the paths of their state.
    options = {"learning_rate": stage.learning_rate, "name": stage.optimizer}
    options |= training.optimizer_options
    keras_class = getattr(keras.optimizers, info.keras_class)
    factors = _variable_factors(model, rate_factors(spec))
    if not factors and not training.ema:
        optimizer = keras_class(**options)
    else:
        optimizer = _recipe_class(keras_class)(**options)
        optimizer.factors = factors
    if training.weight_decay:
        spared = [v for v in model.trainable_variables if len(v.shape) < 2]
        optimizer.exclude_from_weight_decay(var_list=spared)
    return optimizer


def averages(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """Return the averages of the trained variables, in their order; [] if none are kept."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # of mixed precision's loss scaling
    return list(inner._model_variables_moving_average) if inner.use_ema else []


class _Recipe(keras.optimizers.Optimizer):
    """What is added to an optimizer of Keras; comes before it in the order of classes.

    Attributes:
        factors: on the learning rate and the weight decay, for each trained variable; [] for none.
    """

    factors: Sequence[float] = ()

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor) -> None:
        """Update a variable by its own rate."""
        super().update_step(gradient, variable, learning_rate * self._factor(variable))

    def _factor(self, variable: Any) -> float:
        return self.factors[self._get_variable_index(variable)] if self.factors else 1.0

    def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
        """Shrink each variable by its own rate."""
        for variable in variables if self.weight_decay else ():
            if self._use_weight_decay(variable):
                share = self.learning_rate * (self._factor(variable) * self.weight_decay)
                self.assign_sub(variable, variable * ops.cast(share, variable.dtype))

    def _update_model_variables_moving_average(self, trainable_variables: Sequence[Any]) -> None:
        """Average: Keras's own would hold the start of training for 1 / (1 - decay) steps.

        As TensorFlow's ExponentialMovingAverage with `num_updates`, so that a short training has a
        short average: after t steps the decay is t / (t + 9) at most.
        """
        steps = ops.cast(self.iterations, "float32")
        decay = ops.minimum(steps / (steps + 9), self.ema_momentum)
        pairs = zip(trainable_variables, self._model_variables_moving_average, strict=True)
        for variable, average in pairs:
            kept = ops.cast(decay, variable.dtype)
            average.assign(average * kept + variable * (1 - kept))


def _recipe_class(keras_class: Any) -> Any:
    """Return Keras's class with `_Recipe` before it.

    A saved model names it as Keras's own, which loads anywhere.
    """
    return type(keras_class.__name__, (_Recipe, keras_class), {"__module__": "keras.optimizers"})


def _variable_factors(model: keras.Model, factors: Mapping[str, float]) -> list[float]:
    """Return the factor on the rate of each trained variable; [] if all have 1."""
    of_variable = {
        id(variable): factors.get(layer.name, 1.0)
        for layer in model.layers
        for variable in layer.trainable_variables
    }
    found = [of_variable[id(variable)] for variable in model.trainable_variables]
    return found if set(found) - {1.0} else []
