"""Writes tests/reference/embedded_tokens.json: what transformers makes of texts with the tokenizer of
the embedded model, above all of rare syllables, single jamo, and emoji with variation selectors and
joiners.

Needs transformers; no network, no GPU. Usage:

    python tests/python/embedded_tokens.py
"""

import json

from complete_vocabulary import ASSETS, emoji, jamo, syllables
from support import REFERENCE

from transformers import AutoTokenizer, __version__

TEXTS = [
    "",
    " ",
    "정말  재미있는 영화였다!",
    "화면이 텄다 뵀다 팼다 짹짹 삵",
    "텄텄 펲시",
    "ㅟ ㅒ ㅖ ㅙ ㅞ ㅚ ㅝ ㄻ ㄼ ㄽ ㄾ ㄿ",
    "ㅠㅠㅟㅟ ㅇㅖ 가ㄻ",
    "\u1110\u1165\u11bb다 \uff82\uff83",
    "❤️ 짱 ❤ ♥︎ ☺️",
    "\ufe0f❤\ufe0e\ufe0f",
    "👨‍👩‍👧 가족 영화 👨👩👧",
    "👍🏽 🏳️‍🌈 🇰🇷 1️⃣",
    "😧😧 최고 😧",
    "🫨🪿🫶🏻 🕷️",
    "\u200d",
    " \u200d \ufe0f ",
    "a\u200db \u200d c <mask>\ufe0f 끝",
    "™ 🈚 🅰 ©",
    "☃ ʘ 韊 뷁뛟",
]


def run():
    tokenizer = AutoTokenizer.from_pretrained(ASSETS)
    texts = [*TEXTS, "".join(syllables()), "".join(f"{letter}." for letter in jamo()), "".join(emoji())]
    cases = []
    for text in texts:
        encoded = tokenizer(text, return_offsets_mapping=True)
        offsets = encoded["offset_mapping"]
        cases.append({"text": text, "ids": encoded["input_ids"], "offsets": offsets})
    content = {"what": __doc__.split("\n\n")[0], "transformers": __version__, "cases": cases}
    text = json.dumps(content, ensure_ascii=False) + "\n"
    (REFERENCE / "embedded_tokens.json").write_text(text, encoding="utf-8")
    print(f"{len(cases)} texts")


if __name__ == "__main__":
    run()
