"""What a result is worth."""

from workbench.content.concepts.concept import by_name, concept

RESULTS = by_name(
    concept(
        "confusion-matrix",
        "What is taken for what",
        """
        Accuracy is one number; the confusion matrix tells what is behind it. A row is what the
        images are, a column what the network said: right answers lie on the diagonal, and every
        other cell is a kind of error. Along a row, recall: how many of the cats were found. Down
        a column, precision: how many of those called cat are cats. Where classes are unequal,
        accuracy deceives: saying dog to 95 dogs and 5 cats gives 0.95 and finds no cat. The
        workbench shows all of them, and the worst errors by name.
        """,
        """
              said cat   said dog    recall
 is cat            471         29     0.942
 is dog             38        462     0.924
 precision       0.925      0.941
        """,
    ),
    concept(
        "interval",
        "How sure is an accuracy?",
        """
        Test images are a sample: others of the same kind would give a slightly different
        accuracy. A 95 % interval is made so that 95 of 100 of them, each from a sample of its
        own, hold the true value. So a difference of two runs that is far smaller than their
        intervals may be chance, and should be compared on the same test images. Four times as
        many images make an interval about half as wide. The workbench gives Wilson's interval
        beside each test accuracy, and says whether it is beyond guessing.
        """,
        """
 right of images       95 % interval
 933 of 1,000  0.933   0.916 to 0.947        ├─●─┤
  93 of   100  0.930   0.863 to 0.966  ├───────●────┤
        """,
    ),
    concept(
        "paired-test",
        "Is one run better than another?",
        """
        Most test images are easy, or hard, for both runs and tell nothing. What tells is where
        they disagree: McNemar's test takes only the images that one run has right and the other
        wrong. Were the runs equally good, each of these would be a toss of a coin, and p is how
        often coins alone would fall so far to one side. Below 0.05 the workbench says beyond
        chance. So it finds differences that overlapping intervals hide. Of 20 comparisons of
        equal runs about one is that small by chance: with more than two runs, p is multiplied by
        how many are made. How large the difference is, p does not say.
        """,
        """
 of 360 images  B right  B wrong
 A right            330       12    A 0.950
 A wrong              2       16    B 0.922

 12 against 2   p = 0.013   beyond chance
  8 against 6   p = 0.79    too close to call
        """,
    ),
    concept(
        "calibration",
        "Is it right as often as it is sure?",
        """
        The probability that a network gives to its answer is how sure it is. It is calibrated
        where, of all images on which it is 0.8 sure, 80 of 100 are right. Deep networks are often
        surer than that, the more they overfit: validation loss rises while accuracy stays,
        because the errors are made with more certainty. The accuracy is the same, but whoever
        acts on the probability is misled. A bin of few images tells little: s on Results shows
        ten bins, as workbench errors does, and says whether what they show is beyond chance.
        """,
        """
 sure of      images  right  mean sure  share
 0.5 to 0.6       40     22       0.55   0.55  ✓
 0.7 to 0.8       60     42       0.75   0.70
 0.9 to 1        400    344       0.97   0.86  too sure

 expected calibration error, the mean gap: 0.094
        """,
    ),
    concept(
        "threshold",
        "From which probability on is it a dog?",
        """
        With two labels, an image is called the second one where its probability is 0.5 or more.
        A higher threshold calls fewer: less false alarms, more misses. Which is worse, only you
        know. The ROC curve draws recall over the share of false alarms for every threshold; the
        area below it is the share of pairs in which the dog got the higher probability: 0.5 by
        guessing, 1 at best. Where dogs are rare, precision over recall tells more. s on Results
        draws both and moves the threshold; workbench errors has a table.
        """,
        """
 probability of dog   0.1  0.3  0.4  0.6  0.8  0.9
 it is                cat  cat  dog  cat  dog  dog
 from 0.2   precision 0.60   recall 1.00   alarms 2
 from 0.5   precision 0.67   recall 0.67   alarms 1
 from 0.7   precision 1.00   recall 0.67   alarms 0
 area below the ROC curve: 8 of 9 pairs, 0.89
        """,
    ),
    concept(
        "label-noise",
        "When it is the label that is wrong",
        """
        Whoever labels images errs: of ImageNet's validation labels at least 6 in 100 are thought
        wrong. Among training images a wrong label teaches what is not so, and a large network
        learns even that by heart; among test images it counts a right answer as an error. Where
        a network is sure and the label says otherwise the loss is large, so begin with the
        largest losses. Some are mislabelled, others only hard: look at the image, for a network
        that is always believed only confirms itself. Then train anew. Test labels change too, so
        the new accuracy is of another examination.
        """,
        """
 label   the network says    loss = -log p(label)
 cat     cat 0.95            0.05
 cat     dog 0.60            0.92   hard, or wrong?
 cat     dog 0.99            4.61   look here first
        """,
    ),
)
