"""What a result is worth."""

from workbench.ui.concepts.concept import by_name, concept

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
)
