"""What happens while a network trains."""

from workbench.content.concepts.concept import by_name, concept

TRAINING = by_name(
    concept(
        "learning-rate",
        "How large a step is",
        """
        Each step moves every weight a little to where the error is smaller; the learning rate
        says how far. Too large, and the loss jumps about or ends as NaN; too small, and it takes
        for ever. New networks take 1e-3 to 1e-4; what is already good should hardly move, so
        fine-tuning takes less. A curve that jumps asks for a smaller one.
        training.schedule can lower it on the way: cosine lets it fall to 0, plateau halves it
        after 3 epochs without gain. f on the strategy screen, or workbench find-rate, lets the
        rate rise in a short trial and suggests the one at which the loss falls most steeply; s,
        or workbench search, tries heads and their rates on a pretrained base.
        """,
        """
 the book's convnet, a new network      1e-4 = 0.0001
 a head on VGG16                        2e-5 = 0.00002
 fine-tuning VGG16                      1e-5 = 0.00001
        """,
    ),
    concept(
        "overfitting",
        "Learning by heart",
        """
        A network overfits when it gets better on its training images and no longer on others:
        the two curves part, or the validation loss rises again. The book's convnet on 2,000 cats
        and dogs ends at 0.990 in training and 0.724 in validation, for 3,453,121 parameters can
        remember 2,000 pictures. More images help most; then augmentation, dropout, a pretrained
        base, a smaller network. The workbench's own presets stop when an epoch has not been
        better for some time, and keep the best one.
        """,
        """
1.0 │              ╭────────────  training    0.990
    │      ╭───────╯
    │  ╭───╯╭───────────────────  validation  0.724
0.5 │──┴────╯
    └───────────────────────────  30 epochs
        """,
    ),
    concept(
        "dropout",
        "Switching off half, at random",
        """
        In each training step dropout sets a share of a layer's values to 0, drawn anew, and
        raises the others so that their sum stays about the same. So no unit can rely on a single
        other one, and what is learned is spread out: that works against overfitting. The book
        puts 0.5 after flatten in its augmented convnet. It is off in validation and prediction,
        which is one reason why validation may be ahead of training at first. model.dropout is
        the share, before the dense layers.
        """,
        """
 values    0.8  0.1  0.5  0.9  0.3  0.7    dropout 0.5
 step 1    1.6   0   1.0   0    0   1.4
 step 2     0   0.2   0   1.8  0.6   0
 predict   0.8  0.1  0.5  0.9  0.3  0.7
        """,
    ),
    concept(
        "smoothing",
        "Reading a trembling curve",
        """
        Validation curves tremble, the more the fewer images there are. A moving average shows
        the trend: each point is 0.8 of the smooth point before and 0.2 of the new value, as in
        the book. But it lags: a turn appears some epochs late, and the best smooth epoch need
        not be the best one. So it is a way of drawing and nothing else. The workbench tells,
        chooses and keeps the values as they were measured.
        """,
        """
 measured   0.70  0.78  0.72  0.80  0.74
 smooth     0.70  0.72  0.72  0.73  0.73

   0.716 = 0.8 × 0.70 + 0.2 × 0.78
        """,
    ),
)
