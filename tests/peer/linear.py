"""The accuracy and F1 of a linear model on the tutorial's sample: logistic regression on TF-IDF of
character n-grams.

Needs the packages of requirements.txt. Usage:

    python tests/peer/linear.py
"""

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import make_pipeline

from samples import load


def main() -> None:
    train, held_out = load("train", 2000), load("test", 2000)
    features = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), min_df=2, sublinear_tf=True)
    model = make_pipeline(features, LogisticRegression(C=4, max_iter=1000))
    model.fit([row.text for row in train], [row.label for row in train])
    predicted = model.predict([row.text for row in held_out])
    eval_labels = [row.label for row in held_out]
    print(f"accuracy {accuracy_score(eval_labels, predicted):.4f}")
    print(f"f1 {f1_score(eval_labels, predicted):.4f}")


if __name__ == "__main__":
    main()
