"""What a convnet does, from its window to the list that its dense layers read."""

from workbench.content.concepts.concept import by_name, concept
from workbench.content.concepts.windows import Windows

CONVOLUTION = by_name(
    concept(
        "local-patterns",
        "A pattern learned once is found everywhere",
        """
        A dense layer has a weight for each pixel, so a stroke that it learned at the left means
        nothing to it at the right. A convolution looks through a small window, mostly 3x3, and
        slides it over the image with the same weights everywhere. So it learns local patterns
        such as edges and spots, and knows them again at any place; the book calls this
        translation invariance. It matters because fewer images then teach as much. The preset
        dense is there to see the difference, and evaluation.shift measures the accuracy on test
        images moved by some pixels.
        """,
        """
┌───┬─────────┐          ┌─────────────┐
│ ╱ │         │          │             │
├───┘         │          │         ┌───┤
│             │          │         │ ╱ │
└─────────────┘          └─────────┴───┘
 one window, the same weights: found at both places
        """,
    ),
    concept(
        "spatial-hierarchy",
        "Edges, then parts, then things",
        """
        The first layer sees a few pixels at a time and finds edges and spots. The next looks at
        its map and puts them together into corners and textures, later ones into an eye or an
        ear, the last into a cat. Pooling halves the map in between, so the same 3x3 window
        covers ever more of the image. That is why a convnet is a stack of blocks, and why maps
        shrink while filters grow in number. The workbench shows the size of every layer's output
        before anything is trained.
        """,
        """
  ╱ ─ │       ╱╲ ▒▒       (o) ^^      cat
  edges   →   textures →  parts   →   things

  block1      block2      block4      block5  of VGG16
 75x75x64    37x37x128    9x9x512     4x4x512
        """,
    ),
    concept(
        "border-effect",
        "Border effect and padding: try it",
        """
        A window has a place only where all of it lies inside the map: 5x5 pixels have 3x3 places
        for a 3x3 window. So each layer loses its border (padding valid). With padding same, zeros
        laid around the map keep its size at stride 1. Small images have room for few: the
        workbench adds up all sizes first and refuses what does not fit.
        """,
        "\n".join(Windows(5, 3, "valid", 1).lines()),
    ),
    concept(
        "stride",
        "How far the window steps",
        """
        The stride is the step from one place of the window to the next. At stride 2 every second
        place is left out: the map has half the height and half the width, a quarter of the
        values. That saves work and memory, but what the window would have found in between is
        never looked at. Classifiers mostly shrink their maps by max pooling instead, which keeps
        the strongest answer rather than every second one. In the workbench model.stride is 1
        unless you change it, and the sizes are told before training.
        """,
        "\n".join(Windows(7, 3, "valid", 2).lines()),
    ),
    concept(
        "max-pooling",
        "Max pooling keeps the strongest answer",
        """
        It looks at 2x2 values, keeps the largest and moves on by two: a quarter of the values
        is left, and nothing in it has to be learned. Later windows then see a larger part of the
        image, and a pattern moved by a pixel changes little. The largest is kept, not the
        average, because what matters is that a pattern is there at all. Without pooling the
        MNIST convnet keeps 22x22x64 = 30,976 values an image, and a Dense 512 on them has
        15,860,224 parameters: it would overfit. model.pooling turns it off, also for single
        blocks.
        """,
        """
  1  3 │ 2  0
  7  2 │ 1  4             7  4
 ──────┼──────     →
  0  6 │ 5  5             6  9
  1  2 │ 9  3
        """,
    ),
    concept(
        "parameters",
        "Parameters: the numbers that learn",
        """
        A parameter is a number that training may move. A convolution has kernel x kernel x
        channels x filters of them and a bias for each filter: 3x3x3x32 + 32 = 896, however
        large the image is. A dense layer has one for each pair of input and output, so most of
        the book's convnet, 3,211,776 of 3,453,121, sits in one. Many parameters and few images
        make it easy to learn by heart. The workbench counts them for each layer before anything
        is trained.
        """,
        """
 conv1          896
 conv2       18,496
 conv3       73,856  ▌
 conv4      147,584  █▌
 dense1   3,211,776  ████████████████████████████████
 output         513
        """,
    ),
    concept(
        "flatten",
        "From a map to a list",
        """
        A convolution gives a map: height x width x channels. A dense layer reads a list, and
        flatten puts the whole map into one row: VGG16's 4x4x512 become 8,192 values. Nothing
        is lost or learned; each number still stands for one channel at one place. The layer
        above pays for it: Dense 256 on them has 2,097,408 parameters. The average of each
        channel leaves 512 values and forgets where something was, and the head becomes far
        smaller. On a pretrained base model.head is average, or flatten as in the book.
        """,
        """
            ┌ flatten → 8,192 → Dense 256:  2,097,408
 4x4x512  ──┤
            └ average →   512 → Dense 256:    131,328
        """,
    ),
)
