"""Many steps in one call of the framework: what a call takes, and what a step computes.

On a CPU, a call for every step of a small head takes ten times as long as its arithmetic; on a GPU
it leaves the device idle. So the coming steps go in together: which rows they train on, their
learning rates and the seeds of their dropout; the loss and accuracy of each come out. The number of
steps is an argument of the compiled loop, which is therefore the same program however many there
are: no bit of a result depends on where an epoch was cut into calls. Predictions come out of an
evaluation where they are needed.

The loops themselves are in `training.backends`, one for each framework.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from workbench.experiment.seeds import fold_seed
from workbench.runs.fields import Position
from workbench.training.backend import active_backend, prepare_device, resolve_jit
from workbench.training.backends import CALL_LENGTHS, Arrays, Batch, Steps, Tensor
from workbench.training.device_augment import augment_images
from workbench.training.mixing import mix_inputs, mix_values
from workbench.training.models import as_probabilities, loss_for, matches, predicted_labels
from workbench.training.optimizers import averages
from workbench.training.pieces import Piece

CALL_SECONDS = 0.25  # of a call; a stop, a checkpoint and a progress event wait as long


@dataclass(frozen=True)
class StepResults:
    """Mean loss and accuracy of each of `count` steps, still being computed perhaps.

    After a loss that is not finite nothing was updated: the weights are those before its step.

    Attributes:
        predictions: of an evaluation that was asked for them: (`count` or more, b, outputs), or
            the predicted labels (`count` or more, b).
    """

    count: int
    losses: Tensor
    accuracies: Tensor
    predictions: Tensor = None

    def __iter__(self) -> Iterator[dict[str, float]]:
        """Wait for the steps; yield the loss and accuracy of each."""
        losses, accuracies = map(keras.ops.convert_to_numpy, (self.losses, self.accuracies))
        pairs = zip(losses[: self.count].tolist(), accuracies[: self.count].tolist(), strict=True)
        for loss, accuracy in pairs:
            yield {"loss": loss, "accuracy": accuracy}

    @property
    def probabilities(self) -> np.ndarray:
        """Predictions of all steps, float32 (`count` x b, classes)."""
        found = keras.ops.convert_to_numpy(self.predictions)[: self.count]
        return as_probabilities(found.reshape(-1, found.shape[-1]))

    @property
    def labels(self) -> np.ndarray:
        """Predicted labels of all steps, int64 (`count` x b,)."""
        if len(self.predictions.shape) == 3:
            return self.probabilities.argmax(axis=1)
        found = keras.ops.convert_to_numpy(self.predictions)[: self.count]
        return found.ravel().astype(np.int64)


class StepNetwork:
    """A compiled model as the loops of the backends need it.

    Attributes:
        trainable: variables that a step updates by their gradients.
        others: variables that a training step may update in its forward pass, such as the moving
            means of BatchNorm.
        seeds: states of the dropout layers' generators, in the order of `dropouts`.
        dropouts: numbers of the layers with dropout, in the model's order.
        averages: of the trainable variables, which an evaluation takes instead; [] for none.
        fill: behind an image that augmentation moves.
    """

    def __init__(self, model: keras.Model, classes: int, fill: str, smoothing: float) -> None:
        self.model = model
        self.optimizer = model.optimizer
        self.classes = classes
        self.fill = fill
        self.trainable = list(model.trainable_variables)
        self.others = [v for v in model.non_trainable_variables if "seed_generator" not in v.path]
        generators = [getattr(layer, "seed_generator", None) for layer in model.layers]
        self.dropouts = [i for i, generator in enumerate(generators) if generator is not None]
        self.seeds = [generator.state for generator in generators if generator is not None]
        self.averages = averages(model.optimizer)
        self._losses = {False: loss_for(classes), True: loss_for(classes, smoothing)}

    def forward(
        self,
        values: Iterable[tuple[keras.Variable, Tensor]],
        batch: Batch,
        training: bool,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, list[Tensor]]:
        """Compute a batch without changing a variable.

        Args:
            values: of variables, where they are not their own.
            batch: of one step; `seeds` has one (2,) for each of `self.seeds`.
            training: whether dropout and BatchNorm behave as in training.

        Returns:
            The loss scaled for the gradient (as mixed precision needs it), mean loss, mean
            accuracy, the predictions (b, outputs), and the new values of `others`, None where they
            stay.
        """
        x = batch.x
        for changes in batch.changes:
            x = augment_images(x, changes, self.fill)
        for mix in batch.mixes:
            x = mix_inputs(x, mix)
        mapping = [*values, *zip(self.seeds, batch.seeds, strict=True)]
        with keras.StatelessScope(mapping) as scope:
            predicted = self.model(x, training=training)
            loss, accuracy = self._measure(batch, batch.y, predicted, batch.weights, training)
            for mix in batch.mixes:
                y, *weights = (keras.ops.roll(one, -1, axis=0) for one in (batch.y, *batch.weights))
                others = self._measure(batch, y, predicted, weights, training)
                loss, accuracy = (
                    mix_values(*pair, mix) for pair in zip((loss, accuracy), others, strict=True)
                )
            scaled = self.optimizer.scale_loss(loss)
        return scaled, loss, accuracy, predicted, [scope.get_current_value(v) for v in self.others]

    def as_asked(self, predicted: Tensor, asked: Tensor) -> Tensor:
        """Return predictions as a loop was asked for them: (b, outputs), or the labels (b,).

        Args:
            predicted: (b, outputs).
            asked: zeros for all steps, (steps, b, outputs) or (steps, b).
        """
        return predicted if len(asked.shape) == 3 else self.labels(predicted)

    def labels(self, predicted: Tensor) -> Tensor:
        """Return the labels of predictions, float32 (b,)."""
        return predicted_labels(predicted)

    def _measure(
        self, batch: Batch, y: Tensor, predicted: Tensor, weights: Sequence[Tensor], training: bool
    ) -> tuple[Tensor, Tensor]:
        """Return mean loss and accuracy of predictions; of a part, what it adds to the batch's."""
        correct = matches(y, predicted, self.classes)
        if not batch.shares:
            loss = self._losses[training](y, predicted, *weights)
            return loss, keras.ops.mean(correct)
        # Keras's own mean would divide by the number of devices, with TensorFlow alone.
        losses = self._losses[training].call(keras.ops.cast(y, "float32"), predicted)
        for factor in (*weights, *batch.shares):
            losses = losses * factor
        correct = keras.ops.reshape(correct, (-1,)) * batch.shares[0]
        return keras.ops.mean(losses), keras.ops.mean(correct)


class FusedSteps:
    """Takes steps of a compiled model, many in a call.

    Args:
        model: compiled, its optimizer built.
        classes: number of labels.
        targets: of the loss, for each row of the pack; see `Arrays`.
        weights: sample weights of the rows while training; None for equal ones.
        jit: whether XLA compiles.
        fill: behind an image that augmentation moves, "nearest" or "black".
        smoothing: of the labels, in the training loss.
    """

    def __init__(
        self,
        model: keras.Model,
        classes: int,
        targets: np.ndarray,
        weights: np.ndarray | None = None,
        jit: bool = False,
        fill: str = "nearest",
        smoothing: float = 0.0,
    ) -> None:
        self.network = StepNetwork(model, classes, fill, smoothing)
        self._backend = active_backend()
        self._targets = self._backend.place(targets)
        self._weights = [] if weights is None else [self._backend.place(weights)]
        self._train = self._backend.compile_steps(self.network, training=True, jit=jit)
        self._evaluate = self._backend.compile_steps(self.network, training=False, jit=jit)

    def train(
        self,
        piece: Piece,
        rates: np.ndarray,
        seeds: np.ndarray,
        mixes: Sequence[np.ndarray] = (),
    ) -> StepResults:
        """Start steps of gradient descent; the results are read when they are needed.

        Args:
            piece: inputs of the steps.
            rates: float (steps,), learning rates.
            seeds: int (steps, dropouts, 2), see `dropout_seeds`.
            mixes: from `mixing.draw_mixes`.
        """
        arrays = Arrays(piece.x, self._targets, self._weights)
        steps = _padded_steps(piece, rates, seeds, mixes)
        return StepResults(len(piece), *self._train(arrays, steps, len(piece)))

    def evaluate(self, piece: Piece, predict: bool = False, classify: bool = False) -> StepResults:
        """Start steps of an evaluation.

        Args:
            piece: inputs of the steps.
            predict: whether the results have probabilities, and labels.
            classify: whether they have labels; these take hardly any memory, so one length fits
                all calls.
        """
        seeds = np.zeros((1, len(self.network.dropouts), 2), np.int32)
        steps = _padded_steps(piece, np.zeros(1), seeds)
        arrays, count = Arrays(piece.x, self._targets), len(piece)
        predictions = []
        if predict:  # of few lengths, as each is a program of its own where XLA compiles
            length = next(length for length in CALL_LENGTHS if length >= count)
            shape = length, piece.rows.shape[1], self.network.model.output_shape[-1]
            predictions.append(np.zeros(shape, np.float32))
        elif classify:
            predictions.append(np.zeros((CALL_LENGTHS[-1], piece.rows.shape[1]), np.float32))
        return StepResults(count, *self._evaluate(arrays, steps, count, predictions))

    def dropout_seeds(self, seed: int, positions: Sequence[Position]) -> np.ndarray:
        """Return int32 (steps, dropouts, 2): dropout is a function of seed and position."""
        drawn = [
            [fold_seed(seed, at.stage, at.epoch, at.step, i) for i in self.network.dropouts]
            for at in positions
        ]
        seeds = np.array(drawn, np.uint64).reshape(len(positions), -1, 1)
        # Two halves below 2**31 fit every backend's integer type.
        halves = np.concatenate([seeds, seeds >> np.uint64(31)], axis=2) & np.uint64(0x7FFFFFFF)
        return halves.astype(np.int32)


def _padded_steps(
    piece: Piece, rates: np.ndarray, seeds: np.ndarray, mixes: Sequence[np.ndarray] = ()
) -> Steps:
    changes = [] if piece.changes is None else [_padded(piece.changes)]
    places, rows = _padded(piece.places), _padded(piece.rows)
    return Steps(places, rows, _padded(rates), _padded(seeds), changes, list(map(_padded, mixes)))


def _padded(values: np.ndarray) -> np.ndarray:
    """Return the values of steps as an array for the longest call, so that one program fits all."""
    dtype = np.float32 if values.dtype.kind == "f" else np.int32
    padded = np.zeros((CALL_LENGTHS[-1], *values.shape[1:]), dtype)
    padded[: len(values)] = values
    return padded


def warm_up_steps() -> None:
    """Take a training and a validation step of a small network and leave nothing behind.

    Later steps of the process need not wait for what the first one sets up. Do nothing if the
    backend has a GPU after all that NVML did not report.
    """
    device = prepare_device(deterministic=False)
    if device.kind != "cpu":
        return
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile("rmsprop")
    model.optimizer.build(model.trainable_variables)
    steps = FusedSteps(model, 3, np.zeros(2, np.int64), jit=resolve_jit("auto", device, False))
    rows = np.arange(2)[None]
    piece = Piece(np.zeros((2, 8, 8, 3), np.uint8), rows, rows)
    list(steps.train(piece, np.zeros(1), steps.dropout_seeds(0, [Position(0, 1)])))
    list(steps.evaluate(piece))
    keras.utils.clear_session()  # counters of names too: a run's own must not depend on this


class CallLength:
    """Chooses how many steps the next call takes, from the time of the calls before.

    Attributes:
        steps: of the next call at most.
    """

    def __init__(self) -> None:
        self.steps = CALL_LENGTHS[0]

    def measured(self, steps: int, seconds: float) -> None:
        """Note what a call took; lengths rise one after the other, as a first call compiles."""
        if steps < self.steps:  # the last ones of an epoch
            return
        at = CALL_LENGTHS.index(self.steps)
        fitting = [n for n in CALL_LENGTHS[: at + 2] if n * seconds / steps <= CALL_SECONDS]
        self.steps = max(fitting, default=CALL_LENGTHS[0])
