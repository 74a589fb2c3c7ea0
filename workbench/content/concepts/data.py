"""From files to batches, and which images are held back."""

from workbench.content.concepts.concept import by_name, concept

DATA = by_name(
    concept(
        "preprocessing",
        "From a file to numbers",
        """
        A file is read, its JPEG or PNG decoded to red, green and blue, the image brought to one
        size, and its whole numbers from 0 to 255 become floats. Networks learn badly from large
        numbers, so they are rescaled: by 1/255 to between 0 and 1. A pretrained base needs what
        it was trained with; VGG16 wants blue, green, red minus the means 103.939, 116.779 and
        123.68, unscaled. This matters more than augmentation: readers' cached features reach
        0.90 with 1/255 as in the book, and over 0.97 with this. base.preprocessing is own or
        rescale, and is kept inside the saved model, which takes raw images.
        """,
        """
 file → decode → resize → float ─┬→ 1/255      0 .. 1
        RGB      150x150  0..255 │
                                 └→ BGR - means   VGG16
        """,
    ),
    concept(
        "batches",
        "Batches, steps and epochs",
        """
        A network is not shown all images at once but a batch of them, and moves its weights
        after each: that is a step. An epoch is as many steps as show each image once: 2,000
        images in batches of 20 take 100 steps. A generator of augmented images has no end, for
        it begins again and again, so somebody must say where an epoch is cut off. The book's
        100 steps of 32 are 3,200 images: more than the 2,000 there are, so some come twice. In
        the workbench an epoch shows each image once; training.steps_per_epoch cuts it elsewhere,
        and the images then repeat by themselves.
        """,
        """
 images  ■■■■ ■■■■ ■■■■ ■■■■ │ ■■■■ ■■■■ ■■■■ ■■■■ │ ..
 step     1    2    3    4   │  1    2    3    4   │
 epoch          1            │          2          │
        """,
    ),
    concept(
        "validation",
        "Why some images are held back",
        """
        A network can learn its training images by heart, so its accuracy on them says little.
        Validation images never train; after each epoch they tell how it does on new ones, and
        settings are chosen by them. What is chosen by them flatters, so the test images, looked
        at once, give the final figure. A copy of a training image among them would be an answer
        known beforehand: a leak. The workbench shares images out by class, keeps copies on one
        side, and tells where a split of yours has them on both.
        """,
        """
 the book's cats and dogs, images of each class

 train 1,000               validation 500  test 500
 ████████████████████████  ▒▒▒▒▒▒▒▒▒▒▒▒    ░░░░░░░░░░░░
 moves the weights         chooses         judges, once
        """,
    ),
    concept(
        "augmentation",
        "The same cat, a little different",
        """
        Augmentation turns, shifts, shears, zooms or mirrors every training image, by new amounts
        in each epoch, so that the same pixels hardly ever come twice. It makes no new images but
        keeps the network from learning the old ones by heart: with it and dropout the book's
        convnet goes from 0.724 to 0.844. The book turns by up to 40 degrees, shifts and zooms by
        up to 0.2. Only changes that leave the label true are right: a mirrored cat is a cat, a
        mirrored 3 is no digit. Validation and test images are never changed, and each draw
        follows from seed, epoch and image, so a resumed run sees the same ones.
        """,
        """
 epoch 1      epoch 2      epoch 3      epoch 4
┌────────┐   ┌────────┐   ┌────────┐   ┌────────┐
│╱╲_╱╲   │   │  ╱╲_╱╲ │   │        │   │╱╲___╱╲ │
│(o.o)~  │   │ ~(o.o) │   │ ╱╲_╱╲  │   │(o . o)~│
└────────┘   └────────┘   └─(o.o)~─┘   └────────┘
        """,
    ),
)
