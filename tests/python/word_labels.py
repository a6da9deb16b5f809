"""Writes training rows for a sentiment encoder from reviews without labels (distant supervision; Go et
al., 2009): a review whose opinion words all have one polarity gets that polarity as its label, and the
words are replaced by `<mask>`, so that the model has to find the polarity in the rest of the review
(compare the sentiment masking of SKEP; Tian et al., 2020). The words are written down here; no label
of a review is read.

Words after which, or before which, a negation stands ("재미있지 않다") are ambiguous: such reviews are
left out, as are those with words of both polarities. One review in ten keeps its words. Negative
reviews, of which there are fewer, occur twice.

Needs zstandard; no network, no GPU, half a minute. Usage:

    python tests/python/word_labels.py unlabelled.txt.zst rows.tsv
"""

import argparse
import random
import re
from pathlib import Path

import zstandard

# Parts of words that express an opinion; `_` is a blank.
POSITIVE = """
10점 best good great ♡ ♥ ㅎㅎ 감동 감명 감사합니다 감탄 강력추천 강추 걸작 굳 굿 기대_이상 기대이상
꿀잼 대박 따듯 따뜻 뛰어나 뛰어난 매력 멋있 멋지 멋진 명작 명품 뭉클 반했 별다섯 빵빵 사랑스 소름 수작 신나 십점
아름다 아름답 애틋 여운 완벽 웃겨 웃긴 유쾌 인생영화 잘_봤 잘봤 재미나 재미있 재밋 재밌 잼나 잼있 존잼 좋고 좋네 좋다
좋아 좋았 좋은 좋음 짱 최고 최고다 최고의 추천 탄탄 통쾌 핵잼 행복 훈훈 훌륭 흥미롭 흥미진진 힐링
"""
NEGATIVE = """
0점 1점 boring worst 감동도_없 개노잼 개판 거지같 거품 그다지 그닥 낭비 내용도_없 내용없 내용이_없 노잼
답답 더럽게 돈버 돈주고 막장 말도_안 말도안 망작 망친 망했 못_만든 못만든 못해 뭐냐 뭥미 발연기 별로 병신 불쾌 비추
빵점 뻔하 뻔한 산만 삼류 삼류영화 수준_이하 수준이하 시간버 식상 실망 싫 싱겁 쓰래기 쓰레 쓰레기 쓰렉 쓸데없 아까 아깝
알바 어설프 어설픈 어이없 억지 엉망 역겨 역겹 오글 왜만 유치 의미없 이해가_안 일점 재미_없 재미도_없 재미없 잼없 조잡
졸려 졸리 졸린 졸았 졸작 지겨 지겹 지루 진부 짜증 최악 최하 하품 한심 핵노잼 허무 허접 헛웃음 형편없 환불 황당
"""

# A negation or a doubt after a word, and a negation before it.
NEGATED = re.compile(
    r"^\S{0,3}(지|진|질|지는|지도|지가)\s?(않|안|못|모|마)"
    r"|^\S{0,2}\s?(없|않|아니|아닌|줄 알|줄알|는 줄|한 척|싶었|려고)"
)
NEGATION = re.compile(r"(안|못|덜|그닥|그다지|별로|전혀)\s?$")


def alternation(words):
    words = {word.replace("_", " ") for word in words.split()}
    return "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))


WORD = re.compile(f"(?P<negative>{alternation(NEGATIVE)})|(?P<positive>{alternation(POSITIVE)})", re.I)


def opinions(text):
    """The opinion words of a text, `(start, end, is_positive)`; none if one of them is ambiguous."""
    found = []
    for match in WORD.finditer(text):
        after, before = text[match.end() : match.end() + 12], text[max(0, match.start() - 5) : match.start()]
        if NEGATED.match(after) or NEGATION.search(before):
            return []
        found.append((match.start(), match.end(), match["positive"] is not None))
    return found


def labelled(texts, generator):
    """The rows of both classes, negative ones first."""
    rows = ([], [])
    for text in texts:
        text = text.replace("\t", " ").strip()
        found = opinions(text)
        if len({positive for *_, positive in found}) != 1:
            continue
        label = int(found[0][2])
        if generator.random() >= 0.1:
            for start, end, _ in reversed(found):
                text = f"{text[:start]} <mask> {text[end:]}"
            text = " ".join(text.split())
            if len(text.replace("<mask>", "").strip()) < 4:
                continue
        rows[label].append(text)
    return rows


def run():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("texts", type=Path, help="a text a line, compressed by zstd")
    parser.add_argument("output", type=Path)
    args = parser.parse_args()
    compressed = zstandard.ZstdDecompressor().stream_reader(args.texts.read_bytes())
    generator = random.Random(0)
    negative, positive = labelled(compressed.read().decode("utf-8").split("\n"), generator)
    generator.shuffle(negative)
    generator.shuffle(positive)
    rows = [(text, 0) for text in negative * 2] + [(text, 1) for text in positive[: 2 * len(negative)]]
    generator.shuffle(rows)
    lines = "".join(f"{text}\t{label}\n" for text, label in rows)
    args.output.write_text(f"document\tlabel\n{lines}", encoding="utf-8")
    print(f"{args.output}: {len(rows):,} rows")


if __name__ == "__main__":
    run()
