"""Standing on a network that others trained."""

from workbench.content.concepts.concept import by_name, concept

PRETRAINED = by_name(
    concept(
        "transfer",
        "Standing on a network that has seen a million images",
        """
        A network trained on ImageNet, over a million photographs of 1,000 kinds of things, has
        learned edges, textures and parts that serve for other photographs too. A pretrained base
        is that network without its last layers; on top comes a small head that learns your
        classes. So a few hundred images do what would else need many thousands. X-rays or
        drawings gain less: they look unlike what the base has seen. The workbench has VGG16,
        VGG19 and MobileNetV2, fetches their weights, and tells what each costs.
        """,
        """
 image → [ VGG16's base, pretrained ] → [ head ] → cat
           14,714,688 parameters        2,097,665

 2,000 cats and dogs, validation accuracy in the book:
 own convnet 0.724   head on base 0.903   tuned 0.975
        """,
    ),
    concept(
        "feature-extraction",
        "Two ways to use a frozen base",
        """
        A frozen base gives the same outputs for the same image. So they can be computed once and
        kept, and training a head on them takes seconds an epoch. That rules out augmentation,
        because a changed image has other outputs. The other way puts the base inside the model
        and runs it on newly augmented images in every epoch: far slower, and hardly bearable
        without a GPU. The book tells 0.951 for it, readers whose base really is frozen get about
        0.90. In between, base.views = 10 keeps the outputs of ten looks at each image.
        """,
        """
 once         images → base → outputs on the disk
 every epoch                  outputs → head

 every epoch  images → augment → base → head
        """,
    ),
    concept(
        "dense-top",
        "Why the pretrained top is left behind",
        """
        VGG16 as published ends in dense layers that choose among the 1,000 classes of ImageNet.
        They are specific to those classes and of little use for yours. They have also lost
        location: a dense layer mixes all places of the map, while the map itself still knows
        where things are. So the base ends with its last map, and a head of your own goes on top.
        Without them the base also takes other sizes than 224x224, and is far smaller.
        The workbench never fetches the top.
        """,
        """
 left behind   Dense 1000, 4096, 4096     123,642,856
 ────────────┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
 kept          block5  a map: 4x4x512
               block1 to block4            14,714,688
        """,
    ),
    concept(
        "freezing",
        "Frozen weights do not move",
        """
        A frozen layer computes as ever, but training leaves its weights alone. Otherwise the
        head, which begins at random, sends large errors down into what the base has learned.
        Frozen also means fewer numbers to fit and less time and memory for a step. In Keras it
        is trainable = False; once training has begun, it counts only from the next compile on.
        The workbench asks the weights themselves: a frozen layer that moved ends the run as an
        error. And what lies below everything that trains can be computed once and kept.
        """,
        """
 VGG16, 4x4x512, Dense 256      16,812,353 parameters
 base    14,714,688  frozen  ░░░░░░░░░░░░░░░░░░░░░
 head     2,097,665  trains  ███
        """,
    ),
    concept(
        "recompiling",
        "A switch that does nothing until compile",
        """
        In Keras, what trains is settled with the first step after a compile. Set trainable
        later, and it reports the new value while training goes on as before: frozen layers still
        move, others still rest, and nobody warns. Forgetting it looks like success: readers of
        the book get about 0.97 with a base that was not frozen, about 0.90 with one that was. So
        the workbench compiles each stage anew, with a new optimizer, and shows three columns:
        requested by the plan, compiled in the model, and moved, how far the weights went from
        where the stage began. A frozen layer must read 0.
        """,
        """
 layer          requested  compiled   moved
 block4_conv3   frozen     frozen         0   ✓
 block5_conv1   trains     trains    0.31 %   ✓
 block5_conv2   frozen     trains    0.28 %   ✗ wrong
        """,
    ),
    concept(
        "head-first",
        "First the head, then the base",
        """
        A new head begins with random weights, so its first errors are large. Were the base to
        train from the start, they would run through it and wipe out what it knows. So
        fine-tuning has two stages: the head alone on a frozen base; then, compiled anew, the
        chosen blocks train along at a low learning rate. The workbench does both in one run:
        training.head_epochs is the length of the first, and a line in the curves shows where the
        second begins.
        """,
        """
 stage 1  head alone        ┆ stage 2  head and block5
 head     trains            ┆ trains
 block5   frozen            ┆ trains
 below    frozen            ┆ frozen
 rate     2e-5 in the book  ┆ 1e-5
        """,
    ),
    concept(
        "upper-layers",
        "Why the upper blocks, and not all",
        """
        Lower layers find edges and colours, which serve for any photograph; upper ones find
        parts of things, and these are worth adapting to yours. The more parameters train, the
        easier they overfit on few images. And what lies below the lowest block that trains is
        computed once and kept, so an epoch is shorter. The book trains from block5_conv1 up:
        9,177,089 numbers with the head. base.trainable names the blocks, and plan tells what
        they cost.
        """,
        """
 head     2,097,665  trains  your classes
 block5   7,079,424  trains  parts of things
 block4   5,899,776  frozen
 block3   1,475,328  frozen
 block2     221,440  frozen
 block1      38,720  frozen  edges, colours
        """,
    ),
    concept(
        "batch-norm",
        "BatchNorm has a memory of its own",
        """
        Batch normalization brings each channel to mean 0 and spread 1: by the batch's figures in
        training, by a moving average of them in prediction. That average moves whenever the
        layer runs in training, without any gradient, and a few small batches of other images can
        spoil a pretrained base. In Keras 3 calling the base with training=False did not hold it:
        104 of 104 averages of MobileNetV2 moved in a fit. trainable = False on each of these
        layers does. So the workbench freezes them, averages too, unless base.batch_norm is
        adapt; VGG16 has none.
        """,
        """
 the layer           trains            is frozen
 gamma, beta         by gradients      at rest
 moving mean         with each batch   at rest
 moving variance     with each batch   at rest
        """,
    ),
)
