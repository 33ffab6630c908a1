"""Ids made from a pattern: unique by construction, any number of them, none taken from data."""

from __future__ import annotations

import math
import re
import string
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from tabgraphsyn.data.codec.check_digits import Check, check_of, checked
from tabgraphsyn.data.plain import Plain
from tabgraphsyn.data.untrusted import NotNegative
from tabgraphsyn.errors import DataError, listing

MAX_TEMPLATES = 64
MAX_LENGTH = 64
MAX_POSITIONS = 1_000
"""Characters of an id; a pattern of more is refused."""
MOST_SHAPES = 32
SHAPED_SHARE = 0.5
MANY_EXAMPLES = 50
EXAMPLES_MIN = 5
"""Examples that must share a length, or a letter in its place, before the pattern names it."""
LARGEST_CLASS = 1_000
OPEN_REPEATS = 8
ROOM_FOR_EACH = 2
GOLDEN = 0.6180339887498949
CLASSES = (string.digits, string.ascii_lowercase, string.ascii_uppercase)
FEW_HEXADECIMAL = 20
UUID_LENGTH, UUID_VARIANT = 36, 19
CATEGORIES = {
    "CATEGORY_DIGIT": string.digits,
    "CATEGORY_WORD": string.ascii_letters + string.digits + "_",
    "CATEGORY_SPACE": " ",
}

Alphabet = Annotated[str, Meta(min_length=1, max_length=1_200_000)]
Template = Annotated[tuple[Alphabet, ...], Meta(max_length=MAX_POSITIONS)]


@dataclass(frozen=True)
class Pattern(Plain):
    """Ids of several shapes; a shape is the alphabet of each position.

    Attributes:
        templates: per shape, per position, the characters it may hold.
        weights: share of each shape.
        check: how one more character, the last, checks those of the shape.
    """

    leaves_out_defaults = True
    templates: Annotated[tuple[Template, ...], Meta(min_length=1, max_length=MAX_TEMPLATES)]
    weights: tuple[NotNegative, ...]
    check: Check = ""

    def together(self) -> Iterator[tuple[bool, str]]:
        """Yield what must hold: weights that shapes can be drawn by."""
        yield len(self.templates) == len(self.weights), "one weight for each template"
        yield 0 < sum(self.weights) < math.inf, "weights above 0"
        characters = "".join("".join(template) for template in self.templates)
        yield not self.check or re.fullmatch("[0-9A-Z -]*", characters) is not None, "characters that can be checked"

    @staticmethod
    def learn(values: Sequence[str], open_after: int = MAX_LENGTH, needed: int = 0) -> Pattern:
        """Return the pattern of example ids: per length, per position a character class.

        Ids of one length whose separators stand in several places are as many shapes (96/105 and 109/87). A position
        that never changes in enough examples keeps its character; others take the whole class (digits, lower or upper
        case letters) of every character seen there, so no id is needed to describe the pattern. Where no
        number of many examples begins with 0, none does. Where the last character of all checks the others
        (article numbers), so it does.

        Args:
            values: the examples.
            open_after: from this position on digits take all digits, even where one never changes.
            needed: how many ids the column holds; where digits that never change leave no room for twice as many
                (E1 to E199 share a 1 where they are longest), as many are open as that takes, the last ones first.

        >>> Pattern.learn(["A-10", "A-27", "A-33", "A-41", "A-58"]).templates
        (('A', '-', '0123456789', '0123456789'),)
        """
        filled = [value for value in values if value]
        check = check_of(filled)
        examples = np.asarray([value[:-1] if check else value[:MAX_LENGTH] for value in filled], dtype=np.str_)
        if not len(examples):
            return Pattern(((string.digits,) * 8,), (1.0,))
        groups = _alike(examples)
        groups.sort(key=len, reverse=True)
        if len(groups[0]) >= EXAMPLES_MIN:
            groups = [group for group in groups if len(group) >= EXAMPLES_MIN]
        groups = groups[:MOST_SHAPES]
        total = sum(map(len, groups))
        has_zeros = len(examples) < MANY_EXAMPLES or any(re.search(r"(?<!\d)0\d", one) for one in examples.tolist())
        found = Pattern(
            tuple(_template(group, open_after, has_zeros) for group in groups),
            tuple(len(group) / total for group in groups),
            check,
        )
        longest = min(open_after, int(np.char.str_len(examples).max()))
        if not longest or found.room >= ROOM_FOR_EACH * needed:
            return found
        return Pattern.learn(values, longest - 1, needed)

    @staticmethod
    def from_regex(regex: str) -> Pattern:
        r"""Return the pattern of a regular expression of literals, classes, groups, ``|`` and repeats.

        An open repeat (``*``, ``+``) ends after eight characters.

        Raises:
            DataError: the expression does not parse, or uses something else (look-around, back references).

        >>> Pattern.from_regex(r"U-\d{2}").templates
        (('U', '-', '0123456789', '0123456789'),)
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of syntax that a later Python reads otherwise
                parsed = re._parser.parse(regex)  # type: ignore[attr-defined]
            templates = tuple(dict.fromkeys(_expand(list(parsed), regex)))[:MAX_TEMPLATES]
        except (re.error, OverflowError, RecursionError) as error:
            why = "nested too deeply" if isinstance(error, RecursionError) else error
            raise DataError(f"regex_format: {_shown(regex)} is no regular expression ({why}). Correct it.") from error
        if not any(templates):
            raise DataError(f"regex_format: {_shown(regex)} stands for nothing but empty text. Correct it.")
        if any(character < " " or "\ud800" <= character <= "\udfff" for one in templates for character in "".join(one)):
            raise DataError(f"regex_format: {_shown(regex)} stands for characters that no text holds. Correct it.")
        return Pattern(templates, (1 / len(templates),) * len(templates))

    def make(self, index: np.ndarray) -> np.ndarray:
        """Return (rows,) str, one id per number in ``index``; different numbers give different ids.

        Ids of one shape are told apart by a permutation of the shape's number space; a shape whose space is used up
        hands over to the largest one, and when that is used up too, ids grow by ``-1``, ``-2``, ...

        >>> len(set(Pattern.from_regex("[ab]").make(np.arange(5)).tolist()))
        5
        """
        index = np.asarray(index, dtype=np.int64)
        spaces = np.asarray([_Space(template).size for template in self.templates])
        steps = np.cumsum(self.weights) / np.sum(self.weights)
        shape = np.minimum(np.searchsorted(steps, (index + 1) * GOLDEN % 1.0), len(spaces) - 1)
        shape = np.where(index >= spaces[shape], int(np.argmax(spaces)), shape)
        ids = np.empty(len(index), dtype=object)
        for number, template in enumerate(self.templates):
            here = shape == number
            ids[here] = _Space(template).make(index[here])
        if self.check:
            ids[:] = [checked(one, self.check) for one in ids.tolist()]
        return ids

    @property
    def room(self) -> int:
        """How many different ids there are before they grow."""
        return max(_Space(template).size for template in self.templates)


class _Space:
    """The number space of one shape: the last positions count, the ones before are filled by a hash."""

    LIMIT = 2**31  # a product of two numbers of the space fits in 63 bits

    def __init__(self, template: tuple[str, ...]) -> None:
        self.alphabets = [np.asarray(list(characters), dtype="U1") for characters in template]
        self.size, self.counting = 1, 0
        for alphabet in reversed(self.alphabets):
            if self.size * len(alphabet) > self.LIMIT:
                break
            self.size *= len(alphabet)
            self.counting += 1

    def make(self, index: np.ndarray) -> np.ndarray:
        number = permuted(index % self.size, self.size)
        characters = np.empty((len(index), len(self.alphabets)), dtype="U1")
        for place in range(len(self.alphabets) - 1, -1, -1):
            alphabet = self.alphabets[place]
            if place >= len(self.alphabets) - self.counting:
                characters[:, place] = alphabet[number % len(alphabet)]
                number = number // len(alphabet)
            else:
                characters[:, place] = alphabet[_hash(index, place) % len(alphabet)]
        ids = _joined(characters).astype(object)
        beyond = index >= self.size
        ids[beyond] = ids[beyond] + "-" + (index[beyond] // self.size).astype(str).astype(object)
        return ids


def permuted(number: np.ndarray, size: int) -> np.ndarray:
    """Return numbers of ``0 .. size - 1`` in another order: each once, neighbours far apart; ``size`` is below 2**31.

    >>> sorted(permuted(np.arange(6), 6).tolist())
    [0, 1, 2, 3, 4, 5]
    """
    factor = max(int(size * GOLDEN), 1)
    while math.gcd(factor, size) != 1:
        factor += 1
    return np.asarray(number * factor % size)


def _joined(characters: np.ndarray) -> np.ndarray:
    rows, width = characters.shape
    if not width:
        return np.full(rows, "", dtype="U1")
    return np.ascontiguousarray(characters).view(f"U{width}").reshape(rows)


def _hash(index: np.ndarray, place: int) -> np.ndarray:
    """Return 31 well mixed bits per number (the finaliser of splitmix64)."""
    with np.errstate(over="ignore"):
        mixed = index.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(place * 0x632BE5AB)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(33)).astype(np.int64)


def _alike(examples: np.ndarray) -> list[np.ndarray]:
    """Return the examples by length, and by where their separators stand.

    Where separators come in one order (three dots) all shapes are their own; where they may be anywhere, like letters,
    shapes are told apart only if most examples share theirs with some others.
    """
    lengths = np.char.str_len(examples)
    found = []
    for length in np.unique(lengths):
        group = examples[lengths == length]
        bare = np.asarray([re.sub(r"[^\W_]", "x", one) for one in group.tolist()])
        shapes, shape, counts = np.unique(bare, return_inverse=True, return_counts=True)
        is_kept = counts >= EXAMPLES_MIN
        is_ordered = len({shape.replace("x", "") for shape in shapes}) == 1
        if len(shapes) > 1 and is_kept.any() and (is_ordered or counts[is_kept].sum() >= SHAPED_SHARE * len(group)):
            found += [group[shape == number] for number in np.flatnonzero(is_kept)]
        else:
            found.append(group[shape == counts.argmax()] if is_ordered else group)
    return found


def _template(examples: np.ndarray, open_after: int, has_zeros: bool) -> tuple[str, ...]:
    length = len(examples[0])
    characters = np.ascontiguousarray(examples.astype(f"U{length}")).view("U1").reshape(len(examples), length)
    seen = [np.unique(characters[:, place]) for place in range(length)]
    classes = _hexadecimal(characters, seen)
    alphabets = [_alphabet(one, len(examples), classes) for one in seen]
    if classes is not CLASSES and length == UUID_LENGTH and len(examples) >= FEW_HEXADECIMAL:
        variant = "".join(seen[UUID_VARIANT])
        alphabets[UUID_VARIANT] = variant if len(variant) <= 4 else alphabets[UUID_VARIANT]
    opened = [string.digits if at >= open_after and one.isdigit() else one for at, one in enumerate(alphabets)]
    if has_zeros:
        return tuple(opened)
    is_number = [False, *(one.isdigit() for one in opened), False]
    begins = [is_number[at + 1] and is_number[at + 2] and not is_number[at] for at in range(length)]
    return tuple(one.replace("0", "") or one if begins[at] else one for at, one in enumerate(opened))


def _hexadecimal(characters: np.ndarray, seen: list[np.ndarray]) -> tuple[str, ...]:
    """Return the classes of characters: where all of many letters are a to f, letters go no further."""
    varied = np.asarray([len(one) > 1 for one in seen])
    letters = [one for one in characters[:, varied].reshape(-1).tolist() if one.isalpha()]
    if len(letters) < FEW_HEXADECIMAL or not set(letters) <= set("abcdefABCDEF") or len(set(letters)) < 3:
        return CLASSES
    return string.digits, "abcdef", "ABCDEF"


def _alphabet(seen: np.ndarray, examples: int, classes: tuple[str, ...]) -> str:
    if len(seen) == 1 and (examples >= EXAMPLES_MIN or not str(seen[0]).isalnum()):
        return str(seen[0])
    alphabet = "".join(characters for characters in classes if any(one in characters for one in seen))
    return alphabet + "".join(str(one) for one in seen if one not in alphabet)


def _expand(parsed: list[Any], regex: str) -> list[tuple[str, ...]]:
    """Return every shape that a parsed expression has, at most ``MAX_TEMPLATES``."""
    shapes: list[tuple[str, ...]] = [()]
    for operation, argument in parsed:
        tails = _expand_one(str(operation), argument, regex)
        shapes = [head + tail for head in shapes for tail in tails][:MAX_TEMPLATES]
        if any(len(shape) > MAX_POSITIONS for shape in shapes):
            raise _too_long(regex)
    return shapes


def _too_long(regex: str) -> DataError:
    return DataError(
        f"regex_format: {_shown(regex)} makes ids of over {MAX_POSITIONS} characters. Shorten its repeats."
    )


def _shown(regex: str) -> str:
    return listing([regex])


def _expand_one(operation: str, argument: Any, regex: str) -> list[tuple[str, ...]]:
    match operation:
        case "LITERAL":
            return [(chr(argument),)]
        case "ANY":
            return [(string.ascii_letters + string.digits,)]
        case "IN":
            return [("".join(dict.fromkeys("".join(_members(str(op), arg, regex) for op, arg in argument))),)]
        case "SUBPATTERN":
            return _expand(list(argument[-1]), regex)
        case "BRANCH":
            return [shape for branch in argument[1] for shape in _expand(list(branch), regex)]
        case "MAX_REPEAT" | "MIN_REPEAT":
            least, most, repeated = argument
            unit = _expand(list(repeated), regex)
            if least * min(map(len, unit)) > MAX_POSITIONS:
                raise _too_long(regex)
            lengths = range(least, min(int(most), least + OPEN_REPEATS) + 1)
            shapes = [shape * times for times in lengths for shape in unit if len(shape) * times <= MAX_POSITIONS]
            return shapes[:MAX_TEMPLATES]
        case "AT":
            return [()]
        case _:
            raise DataError(
                f"regex_format: {_shown(regex)} uses {operation.lower()!r}, from which no id can be made. Use "
                "literals, classes, groups, '|' and repeats."
            )


def _members(operation: str, argument: Any, regex: str) -> str:
    match operation:
        case "LITERAL":
            return chr(argument)
        case "RANGE" if argument[1] - argument[0] < LARGEST_CLASS:
            return "".join(map(chr, range(argument[0], argument[1] + 1)))
        case "CATEGORY" if str(argument) in CATEGORIES:
            return CATEGORIES[str(argument)]
        case _:
            raise DataError(
                f"regex_format: {_shown(regex)} uses a class with {operation.lower()!r}, from which no id can be made. "
                "List the permitted characters instead."
            )
