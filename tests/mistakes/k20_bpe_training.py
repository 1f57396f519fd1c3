"""k20: what people get wrong about training a tokenizer."""

from dojo.spec import mistake, swap

FIND = "pieces = Counter(match.group() for match in regex.finditer(pattern, text))"
AS_BYTES = 'return Counter({piece.encode("utf-8"): count for piece, count in pieces.items()})'
EACH = "for piece, count in pieces.items():\n        before = None\n"
NEIGHBOURS = "for pair in pairwise(piece):\n            if"
OVERLAPS = "if pair == before:"
PASSED_OVER = "before = None  # it shares a token with the one before, which takes it"
ADD = "counts[pair] += count"
COUNTED = "before = pair\n    return counts"
WALK = "while i < len(piece):"
HIT = "if piece[i : i + 2] == pair:"
JOIN = "tokens.append(piece[i] + piece[i + 1])"
BY_TWO = "i += 2"
KEEP = "merged[tuple(tokens)] = count"
MERGED = "merged = {}\n"
SMALL = "if vocab_size < smallest:"
NO_ROOM = 'raise ValueError(f"vocab_size is {vocab_size}, and bytes and special tokens alone are {smallest}")'
BORDERS = 'borders = "|".join(map(regex.escape, sorted(special_tokens, key=len, reverse=True)))'
PARTS = "for part in regex.split(borders, text) if borders else [text]:"
WORDS = "words.update(split_pieces(part, pattern))"
SINGLE = "pieces = {tuple(bytes([byte]) for byte in word): count for word, count in words.items()}"
STALE_TOP = "if counts[pair] < -count:  # rarer than when it was put there: back to its place"
TAKE_AWAY = "counts.subtract(count_pairs(old))"
HOMES = """for neighbours in pairwise(piece):
                homes[neighbours][piece] = True"""
BYTES = "ranks = {bytes([byte]): byte for byte in range(256)}"
ROOM = "while heap and len(ranks) + len(special_tokens) < vocab_size:"
IDS = "return ranks, {special: len(ranks) + i for i, special in enumerate(special_tokens)}"
BACK = "self.bytes_of = {i: token for token, i in ranks.items()}"
BACK_SPECIAL = 'self.bytes_of |= {i: token.encode("utf-8") for token, i in special.items()}'
NONE_ALLOWED = """if not allowed_special:
            return self.ordinary.encode(text)
        """
ALLOWED = 'borders = "|".join(map(regex.escape, sorted(allowed_special, key=len, reverse=True)))'
CUT = 'for part in regex.split(f"({borders})", text):  # the group keeps the special tokens among the parts'
COLLECT = "ids += [self.special[part]] if part in allowed_special else self.ordinary.encode(part)"
DECODE = 'return b"".join(self.bytes_of[i] for i in ids).decode("utf-8", errors="replace")'
GROW = "held += line"
SURE = "for match in list(self.pattern.finditer(held))[:-2]:"
GIVE = 'yield from bpe_merge(match.group().encode("utf-8"), self.ranks)'
DONE = "done = match.end()"
FORGET = "held = held[done:]"
REST = "yield from self.encode(held)"
STREAM = f"""held = ""
        for line in lines:
            {GROW}
            done = 0
            {SURE}
                {GIVE}
                {DONE}
            {FORGET}
        {REST}"""

# What trains in the solution, from the first count to the last merge; most people count anew after each merge.
FAST = """counts = count_pairs(pieces)
    homes = defaultdict(dict)  # the pieces in which a pair stands, or has stood, in order
    for piece in pieces:
        for pair in pairwise(piece):
            homes[pair][piece] = True
    heap = [(-count, LargerFirst(pair)) for pair, count in counts.items()]  # the most frequent pair on top
    heapq.heapify(heap)
    ranks = {bytes([byte]): byte for byte in range(256)}
    while heap and len(ranks) + len(special_tokens) < vocab_size:
        count, pair = heapq.heappop(heap)
        if counts[pair] < -count:  # rarer than when it was put there: back to its place
            heapq.heappush(heap, (-counts[pair], pair))
            continue
        if counts[pair] == 0:
            break  # no pair is left
        token = pair[0] + pair[1]
        ranks[token] = len(ranks)
        old = {piece: pieces.pop(piece) for piece in homes.pop(pair) if piece in pieces}
        new = merge_pair(old, pair)  # the other pieces do not change, and neither do their counts
        gained = count_pairs(new)
        counts.subtract(count_pairs(old))
        counts.update(gained)
        for piece in new:
            for neighbours in pairwise(piece):
                homes[neighbours][piece] = True
        for neighbours in gained:
            if token in neighbours:
                heapq.heappush(heap, (-counts[neighbours], LargerFirst(neighbours)))
        pieces.update(new)"""
LARGEST = "max(counts, key=lambda pair: (counts[pair], pair))"


def anew(choose=LARGEST, merge="merge_pair(pieces, pair)", rank="rank", stop="if not counts:\n            break"):
    """Training that counts anew after each merge, with one line of it otherwise."""
    return swap(
        FAST,
        f"""ranks = {{bytes([byte]): byte for byte in range(256)}}
    for rank in range(256, vocab_size - len(special_tokens)):
        counts = count_pairs(pieces)
        {stop}
        pair = {choose}
        ranks[pair[0] + pair[1]] = {rank}
        pieces = {merge}""",
    )


def up_to_date(unless):
    """Training that keeps counts, but leaves some as they were."""
    return swap(
        FAST,
        f"""ranks = {{bytes([byte]): byte for byte in range(256)}}
    counts = count_pairs(pieces)
    for rank in range(256, vocab_size - len(special_tokens)):
        if not +counts:
            break
        pair = {LARGEST}
        token = pair[0] + pair[1]
        ranks[token] = rank
        was, pieces = count_pairs(pieces), merge_pair(pieces, pair)
        now = count_pairs(pieces)
        for other in was | now:
            change = now[other] - was[other]
            if not ({unless}):
                counts[other] += change""",
    )


COUNTS_PIECES = "test_pieces_are_counted"
COUNTS_PAIRS = "test_pairs_are_counted_with_their_pieces"
OVERLAP = "test_pairs_that_overlap_count_as_often_as_they_merge"
MERGES = "test_every_occurrence_is_merged"
RUNS = "test_runs_are_merged_from_left_to_right"
OTHERS = "test_other_pairs_stay"
FIRST = "test_the_bytes_come_first_in_order"
REFUSED = "test_a_vocabulary_too_small_is_refused"
ENDS = "test_training_ends_when_no_pair_is_left"
TIES = "test_of_equally_frequent_pairs_the_larger_is_merged"
FREQUENT = "test_each_merge_is_of_the_most_frequent_pair"
MANY = "test_counts_hold_over_many_merges"
FOLLOW = "test_special_tokens_follow_the_ranks"
NO_PART = "test_special_tokens_take_no_part_in_training"
PLAIN = "test_plain_text_is_encoded_as_in_k01"
UNLESS = "test_special_tokens_are_text_unless_allowed"
ONE_ID = "test_allowed_special_tokens_are_one_id"
AT_ENDS = "test_special_tokens_at_the_ends"
BACK_AGAIN = "test_decode_gives_the_text_back"
BROKEN = "test_broken_bytes_are_replaced"
STREAMS = "test_a_stream_has_the_ids_of_the_whole_text"
IN_PIECES = "test_a_cut_within_a_piece_is_not_seen"
AS_USED = "test_a_stream_is_read_as_it_is_used"
MEMORY = "test_memory_does_not_grow_with_the_text"

MISTAKES = [
    # Step 1
    mistake(
        "each piece is counted once",
        swap(FIND, "pieces = Counter({match.group() for match in regex.finditer(pattern, text)})"),
        caught_by=COUNTS_PIECES,
        explanation="""A piece counts 1 however often it occurs. What is frequent in the text is then no longer frequent here.""",
    ),
    mistake(
        "pieces are left as characters",
        swap(AS_BYTES, "return pieces"),
        caught_by=COUNTS_PIECES,
        explanation="""The pieces are strings. Byte pairs are pairs of bytes: each piece becomes UTF-8.""",
    ),
    mistake(
        "findall gives groups",
        swap(FIND, "pieces = Counter(regex.findall(pattern, text))"),
        caught_by=COUNTS_PIECES,
        explanation="""Where the pattern has groups, `findall` returns what is in the groups. A piece is the whole match.""",
    ),
    mistake(
        "the first group instead of the match",
        swap(
            FIND,
            'pieces = Counter(match[min(1, len(match.groups()))] or "" for match in regex.finditer(pattern, text))',
        ),
        caught_by=COUNTS_PIECES,
        explanation="""Where the pattern has groups, what the first of them holds is taken for the piece. A piece is the whole match.""",
    ),
    mistake(
        "words instead of pieces",
        swap(FIND, "pieces = Counter(text.split())"),
        caught_by=COUNTS_PIECES,
        explanation="""The text is cut at white space, and the pattern is not asked. Where pieces end is the pattern's decision.""",
    ),
    mistake(
        "what stands between the matches",
        swap(FIND, "pieces = Counter(part for part in regex.split(pattern, text) if part)"),
        caught_by=COUNTS_PIECES,
        explanation="""The pattern is taken for what separates pieces. It says what a piece is.""",
    ),
    mistake(
        "the pattern is not asked",
        swap(FIND, "pieces = Counter([text] if text else [])"),
        caught_by=COUNTS_PIECES,
        explanation="""The whole text is a single piece. Tokens would then be learned across words and punctuation.""",
    ),
    mistake(
        "single characters",
        swap(FIND, "pieces = Counter(text)"),
        caught_by=COUNTS_PIECES,
        explanation="""Each character is a piece of its own. There are no neighbours in such pieces, and nothing to merge.""",
    ),
    mistake(
        "pieces overlap",
        swap(FIND, "pieces = Counter(match.group() for match in regex.finditer(pattern, text, overlapped=True))"),
        caught_by=COUNTS_PIECES,
        explanation="""A match may begin within the one before. A piece begins where the last one ended, or later.""",
    ),
    mistake(
        "white space is stripped",
        swap(FIND, "pieces = Counter(match.group().strip() for match in regex.finditer(pattern, text))"),
        caught_by=COUNTS_PIECES,
        explanation="""Blanks at the ends of a piece are taken off. The blank before a word is part of its piece.""",
    ),
    mistake(
        "capitals are lost",
        swap(FIND, "pieces = Counter(match.group().lower() for match in regex.finditer(pattern, text))"),
        caught_by=COUNTS_PIECES,
        explanation="""The pieces are put in small letters. `The` and `the` are two pieces, and a text must come back as it was.""",
    ),
    mistake(
        "what is not matched is a piece too",
        swap(FIND, 'pieces = Counter(part for part in regex.split(f"({pattern})", text) if part)'),
        caught_by=COUNTS_PIECES,
        explanation="""What stands between two matches is counted as well. What the pattern leaves out is no piece.""",
    ),
    mistake(
        "empty pieces where nothing is matched",
        swap(
            FIND,
            'pieces = Counter(regex.fullmatch(pattern, part) is None and part or part for part in regex.sub(pattern, lambda match: match.group() + "\\0", text).split("\\0"))',
        ),
        caught_by=COUNTS_PIECES,
        explanation="""An empty piece comes along. A piece is what the pattern matches, and the end of the text is no match.""",
    ),
    mistake(
        "UTF-16 instead of UTF-8",
        swap(AS_BYTES, 'return Counter({piece.encode("utf-16-le"): count for piece, count in pieces.items()})'),
        caught_by=COUNTS_PIECES,
        explanation="""The pieces become bytes by UTF-16, two or four a character. A tokenizer reads UTF-8.""",
    ),
    mistake(
        "only ASCII",
        swap(
            AS_BYTES,
            'return Counter({piece.encode("ascii", errors="ignore"): count for piece, count in pieces.items()})',
        ),
        caught_by=COUNTS_PIECES,
        explanation="""Characters beyond ASCII are dropped. In UTF-8 every character has its bytes.""",
    ),
    mistake(
        "question marks for letters beyond ASCII",
        swap(
            AS_BYTES,
            'return Counter({piece.encode("ascii", errors="replace"): count for piece, count in pieces.items()})',
        ),
        caught_by=COUNTS_PIECES,
        explanation="""Characters beyond ASCII become question marks. In UTF-8 every character has its bytes.""",
    ),
    mistake(
        "the last piece is lost",
        swap(FIND, "pieces = Counter(match.group() for match in list(regex.finditer(pattern, text))[:-1])"),
        caught_by=COUNTS_PIECES,
        explanation="""The last piece of the text is not counted. All of them are.""",
    ),
    mistake(
        "the first piece is lost",
        swap(FIND, "pieces = Counter(match.group() for match in list(regex.finditer(pattern, text))[1:])"),
        caught_by=COUNTS_PIECES,
        explanation="""The first piece of the text is not counted. All of them are.""",
    ),
    mistake(
        "a list of pieces, not counts",
        swap(AS_BYTES, 'return [piece.encode("utf-8") for piece in pieces.elements()]'),
        caught_by=COUNTS_PIECES,
        explanation="""The pieces come in a list, without counts. To count pairs one needs each piece once, and how often it occurs.""",
    ),
    mistake(
        "letters of one spelling",
        swap(
            FIND,
            'import unicodedata\n    pieces = Counter(unicodedata.normalize("NFC", match.group()) for match in regex.finditer(pattern, text))',
        ),
        caught_by="test_pieces_of_any_text",
        explanation="""Characters that can be spelt in two ways are spelt in one. A text with the other spelling would not come back as it was.""",
    ),
    mistake(
        "lines of the pattern's own",
        swap(
            FIND,
            "pieces = Counter(match.group() for line in text.splitlines() for match in regex.finditer(pattern, line))",
        ),
        caught_by=COUNTS_PIECES,
        explanation="""The text is cut into lines before the pattern sees it, and line ends are lost. They are text like the rest.""",
    ),
    mistake(
        "lines are looked at one by one",
        swap(
            FIND,
            "pieces = Counter(match.group() for line in text.splitlines(True) for match in regex.finditer(pattern, line))",
        ),
        caught_by="test_pieces_of_any_text",
        explanation="""The text is cut into lines, and the pattern sees one at a time. A piece may go on across a line's end.""",
    ),
    # Step 2
    mistake(
        "overlaps are counted twice",
        swap(OVERLAPS, "if False:"),
        caught_by=OVERLAP,
        explanation="""Of `a a a` both pairs are counted, though they share a token. Only one of them can be merged.""",
    ),
    mistake(
        "a run counts once",
        swap(PASSED_OVER, "pass"),
        caught_by=OVERLAP,
        explanation="""However long a run of equal tokens is, its pair counts once. `a a a a` can be merged in two places.""",
    ),
    mistake(
        "pairs of equal tokens are left out",
        swap(OVERLAPS, "if pair[0] == pair[1]:"),
        caught_by=OVERLAP,
        explanation="""A pair of two equal tokens is not counted. It may be the most frequent of all: think of blanks.""",
    ),
    mistake(
        "a pair of equals counts for its run",
        swap(ADD, "counts[pair] += count * (piece.count(pair[0]) // 2 if pair[0] == pair[1] else 1)"),
        caught_by=OVERLAP,
        explanation="""For a pair of equal tokens all such tokens of the piece are counted, wherever they stand. Only neighbours make a pair.""",
    ),
    mistake(
        "pairs are counted without their pieces' counts",
        swap(ADD, "counts[pair] += 1"),
        caught_by=COUNTS_PAIRS,
        explanation="""A pair counts once for each piece, however often the piece occurs. A word that comes a thousand times has its pairs a thousand times.""",
    ),
    mistake(
        "a pair counts once a piece",
        swap(NEIGHBOURS, "for pair in dict.fromkeys(pairwise(piece)):\n            if"),
        caught_by=COUNTS_PAIRS,
        explanation="""A pair that stands in a piece twice is counted once. `papa` has two of `p a`.""",
    ),
    mistake(
        "the last count wins",
        swap(ADD, "counts[pair] = count"),
        caught_by=COUNTS_PAIRS,
        explanation="""A pair gets the count of the last piece that it stands in. The counts of all pieces add up.""",
    ),
    mistake(
        "pairs across pieces",
        swap(
            EACH,
            "last = ()\n    for piece, count in pieces.items():\n        piece, last = (*last, *piece), piece[-1:]\n        before = None\n",
        ),
        caught_by=COUNTS_PAIRS,
        explanation="""The last token of a piece and the first of the next are counted as a pair. Nothing is merged across pieces, and their order means nothing.""",
    ),
    mistake(
        "every second pair",
        swap(NEIGHBOURS, "for pair in zip(piece[::2], piece[1::2]):\n            if"),
        caught_by=COUNTS_PAIRS,
        explanation="""The piece is cut into twos. A token makes a pair with its left neighbour as well as with its right one.""",
    ),
    mistake(
        "tokens that are not neighbours",
        swap(NEIGHBOURS, "for pair in zip(piece, piece[2:]):\n            if"),
        caught_by=COUNTS_PAIRS,
        explanation="""A pair is made of a token and the next but one. A pair is two neighbours.""",
    ),
    mistake(
        "all twos of a piece",
        swap(
            NEIGHBOURS,
            "for pair in ((left, right) for i, left in enumerate(piece) for right in piece[i + 1 :]):\n            if",
        ),
        caught_by=COUNTS_PAIRS,
        explanation="""Any two tokens of a piece count as a pair, however far apart. A pair is two neighbours.""",
    ),
    mistake(
        "the first pair is left out",
        swap(NEIGHBOURS, "for pair in pairwise(piece[1:]):\n            if"),
        caught_by=COUNTS_PAIRS,
        explanation="""The first two tokens of a piece are not counted. Every two neighbours are.""",
    ),
    mistake(
        "the last pair is left out",
        swap(NEIGHBOURS, "for pair in pairwise(piece[:-1]):\n            if"),
        caught_by=COUNTS_PAIRS,
        explanation="""The last two tokens of a piece are not counted. Every two neighbours are.""",
    ),
    mistake(
        "the last pair goes round to the first token",
        swap(NEIGHBOURS, "for pair in zip(piece, piece[1:] + piece[:1]):\n            if"),
        caught_by=COUNTS_PAIRS,
        explanation="""The last token is counted with the first one, as in a ring. A piece ends where it ends.""",
    ),
    mistake(
        "joined pairs",
        swap(ADD, "counts[pair[0] + pair[1]] += count"),
        caught_by=COUNTS_PAIRS,
        explanation="""Pairs are counted by the bytes that they make. `a` with `bc` and `ab` with `c` are two pairs.""",
    ),
    mistake(
        "pairs in either order",
        swap(ADD, "counts[min(pair), max(pair)] += count"),
        caught_by=COUNTS_PAIRS,
        explanation="""A pair and the same two tokens the other way round are counted together. `a b` and `b a` make two different tokens.""",
    ),
    mistake(
        "the two change places (counting)",
        swap(ADD, "counts[pair[::-1]] += count"),
        caught_by=COUNTS_PAIRS,
        explanation="""The right token of a pair is put first. A pair stands in the order of the text.""",
    ),
    mistake(
        "rare pairs are left out",
        swap(
            COUNTED, "before = pair\n    return Counter({pair: count for pair, count in counts.items() if count > 1})"
        ),
        caught_by=COUNTS_PAIRS,
        explanation="""Pairs that occur once are not listed. They are merged as well, when nothing better is left.""",
    ),
    mistake(
        "only the most frequent pair",
        swap(COUNTED, "before = pair\n    return Counter(dict(counts.most_common(1)))"),
        caught_by=COUNTS_PAIRS,
        explanation="""Only one pair is returned, and of equally frequent ones whichever came first. All pairs have counts.""",
    ),
    mistake(
        "tokens are counted, not pairs",
        swap(NEIGHBOURS, "for pair in piece:\n            if"),
        caught_by=COUNTS_PAIRS,
        explanation="""Single tokens are counted. What is merged are neighbours.""",
    ),
    mistake(
        "the rest of a piece is not counted",
        swap(COUNTED, "before = pair\n        return counts\n    return counts"),
        caught_by=COUNTS_PAIRS,
        explanation="""After the first piece the function returns: a `return` stands one level too deep. All pieces are counted.""",
    ),
    mistake(
        "one occurrence a piece",
        swap(HIT, "if piece[i : i + 2] == pair and len(tokens) == i:"),
        caught_by=MERGES,
        explanation="""Only the first occurrence of the pair in a piece is merged. `papa` has two of `p a`.""",
    ),
    mistake(
        "only the last occurrence of a piece",
        swap(HIT, "if piece[i : i + 2] == pair and pair not in pairwise(piece[i + 1 :]):"),
        caught_by=MERGES,
        explanation="""Only the last occurrence of the pair in a piece is merged. All of them are.""",
    ),
    mistake(
        "only at the beginning of a piece",
        swap(HIT, "if i == 0 and piece[:2] == pair:"),
        caught_by=MERGES,
        explanation="""The pair is merged only where a piece begins with it. It may stand anywhere.""",
    ),
    mistake(
        "only a piece that is the pair",
        swap(HIT, "if piece == pair:"),
        caught_by=MERGES,
        explanation="""Only pieces of just these two tokens are merged. The pair may stand within a longer piece.""",
    ),
    mistake(
        "a merged token is merged again",
        swap(BY_TWO, "i += 1"),
        caught_by=MERGES,
        explanation="""After a merge the walk goes on by one token, and the right one comes a second time. Both tokens have gone into the new one.""",
    ),
    mistake(
        "a token is skipped after a merge",
        swap(BY_TWO, "i += 3"),
        caught_by=MERGES,
        explanation="""After a merge the walk goes on by three tokens, and one is lost. A pair is two.""",
    ),
    mistake(
        "merges from right to left",
        swap(
            KEEP,
            "tokens, i = [], len(piece)\n        while i > 0:\n            if piece[max(i - 2, 0) : i] == pair:\n                tokens.insert(0, piece[i - 2] + piece[i - 1])\n                i -= 2\n            else:\n                tokens.insert(0, piece[i - 1])\n                i -= 1\n        merged[tuple(tokens)] = count",
        ),
        caught_by=RUNS,
        explanation="""In `a a a` the right two are merged. A piece is read from left to right, and the left two are.""",
    ),
    mistake(
        "whatever makes the same bytes is merged",
        swap(HIT, "if i + 1 < len(piece) and piece[i] + piece[i + 1] == pair[0] + pair[1]:"),
        caught_by=OTHERS,
        explanation="""Two neighbours are merged because they make the same bytes as the pair. `a` with `bc` is another pair than `ab` with `c`.""",
    ),
    mistake(
        "the pair in either order is merged",
        swap(HIT, "if piece[i : i + 2] in (pair, pair[::-1]):"),
        caught_by=OTHERS,
        explanation="""The two tokens are merged the other way round as well. That makes another token.""",
    ),
    mistake(
        "the left token is enough",
        swap(HIT, "if i + 1 < len(piece) and piece[i] == pair[0]:"),
        caught_by=OTHERS,
        explanation="""Whatever follows the left token of the pair is merged with it. Both have to be the pair's.""",
    ),
    mistake(
        "the right token is enough",
        swap(HIT, "if i + 1 < len(piece) and piece[i + 1] == pair[1]:"),
        caught_by=OTHERS,
        explanation="""Whatever stands before the right token of the pair is merged with it. Both have to be the pair's.""",
    ),
    mistake(
        "counts are lost",
        swap(KEEP, "merged[tuple(tokens)] = 1"),
        caught_by=MERGES,
        explanation="""Every piece counts 1 after the merge. A merge changes tokens and no counts.""",
    ),
    mistake(
        "only the pieces with the pair are returned",
        swap(KEEP, "if pair in pairwise(piece):\n            merged[tuple(tokens)] = count"),
        caught_by=MERGES,
        explanation="""Pieces without the pair are dropped. They stay as they are, and count at the next merge.""",
    ),
    mistake(
        "only the pieces without the pair are returned",
        swap(KEEP, "if pair not in pairwise(piece):\n            merged[tuple(tokens)] = count"),
        caught_by=MERGES,
        explanation="""Pieces with the pair are dropped. They are the ones that were merged.""",
    ),
    mistake(
        "the last token is lost",
        swap(WALK, "while i < len(piece) - 1:"),
        caught_by=MERGES,
        explanation="""The walk ends before the last token, and it is dropped. Only a pair needs two.""",
    ),
    mistake(
        "nothing is merged at the end of a piece",
        swap(HIT, "if i + 2 < len(piece) and piece[i : i + 2] == pair:"),
        caught_by=MERGES,
        explanation="""A pair at the end of a piece is not merged. The last two tokens are neighbours like others.""",
    ),
    mistake(
        "the parts stay tuples",
        swap(JOIN, "tokens.append((piece[i], piece[i + 1]))"),
        caught_by=MERGES,
        explanation="""The two tokens are put into a tuple within the piece. A token is bytes: the two joined.""",
    ),
    mistake(
        "the piece becomes bytes",
        swap(KEEP, 'merged[b"".join(tokens)] = count'),
        caught_by=MERGES,
        explanation="""The tokens of a piece are joined, and where they end is lost. A piece is a tuple of its tokens.""",
    ),
    mistake(
        "the pair changes places",
        swap(JOIN, "tokens.append(piece[i + 1] + piece[i])"),
        caught_by=MERGES,
        explanation="""The right token is put before the left one. The bytes stand as in the text.""",
    ),
    mistake(
        "the pair stays beside what it makes",
        swap(JOIN, "tokens += [piece[i], piece[i + 1], piece[i] + piece[i + 1]]"),
        caught_by=MERGES,
        explanation="""The two tokens stay in the piece beside the new one. It takes their place.""",
    ),
    mistake(
        "the pieces that came are changed",
        swap(MERGED, "merged, pieces = pieces, dict(pieces)\n    merged.clear()\n"),
        caught_by=MERGES,
        explanation="""The mapping that was handed over is emptied and filled anew. It belongs to the caller: return another one.""",
    ),
    mistake(
        "a list of pieces",
        swap(KEEP, "merged[tuple(tokens)] = count\n    return list(merged)"),
        caught_by=MERGES,
        explanation="""A list of pieces is returned, after the first one. What is asked for is a dictionary with the counts of all.""",
    ),
    # Step 3
    mistake(
        "ties by first seen",
        anew(choose="max(counts, key=counts.get)"),
        caught_by=TIES,
        explanation="""Of equally frequent pairs the one that was counted first is merged. The order of the text then decides; the larger pair should.""",
    ),
    mistake(
        "ties by last seen",
        anew(choose="max(reversed(counts), key=counts.get)"),
        caught_by=TIES,
        explanation="""Of equally frequent pairs the one that was counted last is merged. The order of the text then decides; the larger pair should.""",
    ),
    mistake(
        "ties by the smallest",
        anew(choose="min(counts, key=lambda pair: (-counts[pair], pair))"),
        caught_by=TIES,
        explanation="""Of equally frequent pairs the smallest is merged. It is the largest that is asked for.""",
    ),
    mistake(
        "ties by the joined bytes",
        anew(choose="max(counts, key=lambda pair: (counts[pair], pair[0] + pair[1]))"),
        caught_by=TIES,
        explanation="""Of equally frequent pairs the one that makes the largest token is merged. Pairs are compared as tuples: the left tokens first.""",
    ),
    mistake(
        "ties by the right token",
        anew(choose="max(counts, key=lambda pair: (counts[pair], pair[::-1]))"),
        caught_by=TIES,
        explanation="""Of equally frequent pairs the one with the largest right token is merged. As tuples of bytes are compared, left tokens come first.""",
    ),
    mistake(
        "ties by the left token alone",
        anew(choose="max(counts, key=lambda pair: (counts[pair], pair[0]))"),
        caught_by=TIES,
        explanation="""Only left tokens decide between equally frequent pairs. Where these are equal too the right ones do.""",
    ),
    mistake(
        "ties by the longer token",
        anew(choose="max(counts, key=lambda pair: (counts[pair], len(pair[0] + pair[1]), pair))"),
        caught_by=TIES,
        explanation="""Of equally frequent pairs the longer one is merged. They are compared as bytes, and length alone does not make a pair larger.""",
    ),
    mistake(
        "ties by the shorter token",
        anew(choose="max(counts, key=lambda pair: (counts[pair], -len(pair[0] + pair[1]), pair))"),
        caught_by=TIES,
        explanation="""Of equally frequent pairs the shorter one is merged. They are compared as bytes, and length alone does not make a pair larger.""",
    ),
    mistake(
        "ties by rank",
        anew(choose="max(counts, key=lambda pair: (counts[pair], ranks[pair[0]], ranks[pair[1]]))"),
        caught_by=TIES,
        explanation="""Of equally frequent pairs the one whose tokens have higher ranks is merged. They are compared as bytes: a token that was made late is not larger for that.""",
    ),
    mistake(
        "ties by the lower rank",
        anew(choose="min(counts, key=lambda pair: (-counts[pair], ranks[pair[0]], ranks[pair[1]]))"),
        caught_by=TIES,
        explanation="""Of equally frequent pairs the one whose tokens have lower ranks is merged, as some libraries do. Here the larger pair is, compared as bytes.""",
    ),
    mistake(
        "the largest pair, however rare",
        anew(choose="max(counts)"),
        caught_by=FREQUENT,
        explanation="""The largest pair is merged, and counts play no part. It decides only between pairs that are equally frequent.""",
    ),
    mistake(
        "the least frequent pair",
        anew(choose="min(counts, key=lambda pair: (counts[pair], pair))"),
        caught_by=FREQUENT,
        explanation="""The pair that occurs least is merged. What is frequent should become a token.""",
    ),
    mistake(
        "weighed by length",
        anew(choose="max(counts, key=lambda pair: (counts[pair] * len(pair[0] + pair[1]), pair))"),
        caught_by=FREQUENT,
        explanation="""Counts are multiplied by the length of the token. What counts is how often the pair occurs.""",
    ),
    mistake(
        "the share of its tokens decides",
        anew(
            choose="max(counts, key=lambda pair: (counts[pair] / sum(n * (p.count(pair[0]) + p.count(pair[1])) for p, n in pieces.items()), pair))"
        ),
        caught_by=FREQUENT,
        explanation="""Counts are divided by how often the two tokens occur, as in WordPiece. Byte pairs are merged by count alone.""",
    ),
    mistake(
        "counted once for all",
        up_to_date("other != pair"),
        caught_by=FREQUENT,
        explanation="""The pairs are counted at the beginning and never again. Each merge changes what stands beside it, and makes pairs that were not there.""",
    ),
    mistake(
        "the counts of left neighbours are stale",
        up_to_date("other[1] == pair[0] and other != pair and change < 0"),
        caught_by=FREQUENT,
        explanation="""After a merge the pair to the left is still counted as before. Its right token has gone into the new one.""",
    ),
    mistake(
        "the counts of right neighbours are stale",
        up_to_date("other[0] == pair[1] and other != pair and change < 0"),
        caught_by=FREQUENT,
        explanation="""After a merge the pair to the right is still counted as before. Its left token has gone into the new one.""",
    ),
    mistake(
        "no count of the neighbours goes down",
        up_to_date("other != pair and change < 0"),
        caught_by=FREQUENT,
        explanation="""New pairs are counted, but the old neighbours of a merge stay as frequent as they were. Their tokens have gone into the new one.""",
    ),
    mistake(
        "new pairs to the left are not counted",
        up_to_date("other[1] == token and change > 0"),
        caught_by=FREQUENT,
        explanation="""A new token is not counted with what stands to its left. It makes pairs with both neighbours.""",
    ),
    mistake(
        "new pairs to the right are not counted",
        up_to_date("other[0] == token and change > 0"),
        caught_by=FREQUENT,
        explanation="""A new token is not counted with what stands to its right. It makes pairs with both neighbours.""",
    ),
    mistake(
        "new pairs are not counted",
        up_to_date("change > 0"),
        caught_by=FREQUENT,
        explanation="""A new token makes pairs with its neighbours, and they are never counted. Tokens then have two bytes at most.""",
    ),
    mistake(
        "two new tokens side by side are not counted",
        up_to_date("other == (token, token)"),
        caught_by=FREQUENT,
        explanation="""Where a merge follows a merge, the two new tokens are neighbours, and that pair is not counted. `papa` becomes `pa pa`.""",
    ),
    mistake(
        "what the old pieces had stays counted",
        swap(TAKE_AWAY, "pass"),
        caught_by=FREQUENT,
        explanation="""The counts of the merged pieces are added, and those of the same pieces before are not taken away. Every pair that stays is then counted twice.""",
    ),
    mistake(
        "an old count stays on the heap",
        swap(STALE_TOP, "if False:"),
        caught_by=FREQUENT,
        explanation="""A pair is taken from the heap with the count that it had when it was put there. Meanwhile it may have become rarer: look at the count of now.""",
    ),
    mistake(
        "pieces are not found again after a merge",
        swap(HOMES, "pass"),
        swap("for piece in homes.pop(pair) if", "for piece in homes.pop(pair, ()) if"),
        caught_by=FREQUENT,
        explanation="""Which pieces hold a pair is noted at the beginning, and not for the pieces that merges make. Those are then never merged again.""",
    ),
    mistake(
        "the pieces stay as they were",
        anew(merge="pieces"),
        caught_by=FREQUENT,
        explanation="""The merged pieces are not kept, so the same pair is the most frequent one each time. `merge_pair` returns them.""",
    ),
    mistake(
        "only one piece is merged",
        anew(
            merge="merge_pair(dict([max(((p, n) for p, n in pieces.items() if pair in pairwise(p)), key=lambda item: (item[1], item[0]))]), pair) | {p: n for p, n in pieces.items() if p != max(((p, n) for p, n in pieces.items() if pair in pairwise(p)), key=lambda item: (item[1], item[0]))[0]}"
        ),
        caught_by=FREQUENT,
        explanation="""The pair is merged in the most frequent piece that holds it, and stays in the others. A merge is made everywhere.""",
    ),
    mistake(
        "sorted by length",
        swap(
            IDS,
            "ranks = {token: i for i, token in enumerate(sorted(ranks, key=len))}\n    return ranks, {special: len(ranks) + i for i, special in enumerate(special_tokens)}",
        ),
        caught_by=MANY,
        explanation="""At the end the tokens are sorted by length and numbered anew. A rank is when a token was made, and encoding goes by it.""",
    ),
    mistake(
        "sorted as bytes",
        swap(
            IDS,
            "ranks = {token: i for i, token in enumerate(sorted(ranks))}\n    return ranks, {special: len(ranks) + i for i, special in enumerate(special_tokens)}",
        ),
        caught_by=FIRST,
        explanation="""At the end the tokens are sorted as bytes and numbered anew. A rank is when a token was made, and encoding goes by it.""",
    ),
    mistake(
        "a rank is a count",
        anew(rank="counts[pair]"),
        caught_by=FREQUENT,
        explanation="""The count of the pair is taken for the rank of the token. Ranks go on from 256, by one each.""",
    ),
    mistake(
        "ranks from 257",
        anew(rank="rank + 1"),
        caught_by=FREQUENT,
        explanation="""The first merge gets rank 257. The bytes have 0 to 255, and 256 is the next.""",
    ),
    mistake(
        "ranks turned round",
        swap(
            IDS,
            "return {rank: token for token, rank in ranks.items()}, {special: len(ranks) + i for i, special in enumerate(special_tokens)}",
        ),
        caught_by=FIRST,
        explanation="""The dictionary leads from ranks to tokens. Whoever encodes has a token and asks for its rank.""",
    ),
    mistake(
        "pairs for tokens",
        swap(
            IDS,
            "return {(token[:1], token[1:]) if len(token) > 1 else token: rank for token, rank in ranks.items()}, {special: len(ranks) + i for i, special in enumerate(special_tokens)}",
        ),
        caught_by=FREQUENT,
        explanation="""The ranks are those of pairs. A token is bytes: the two joined.""",
    ),
    mistake(
        "ranks alone are returned",
        swap(IDS, "return ranks"),
        caught_by=FIRST,
        explanation="""Only the ranks are returned. With them go the ids of the special tokens, also where there are none.""",
    ),
    mistake(
        "the smallest vocabulary is refused",
        swap(SMALL, "if vocab_size <= smallest:"),
        caught_by=REFUSED,
        explanation="""A vocabulary with room for the bytes and the special tokens, and nothing else, is refused. It is small, and it is one.""",
    ),
    mistake(
        "a vocabulary too small is accepted",
        swap(SMALL, "if False:"),
        caught_by=REFUSED,
        explanation="""Any vocab_size is accepted, and what comes back has more tokens than were asked for. Whoever makes a layer of that width finds out late.""",
    ),
    mistake(
        "special tokens are not counted in the check",
        swap(SMALL, "if vocab_size < 256:"),
        caught_by=REFUSED,
        explanation="""Only the bytes have to fit in. Special tokens need an id each as well.""",
    ),
    mistake(
        "the error does not say what was asked for",
        swap(NO_ROOM, 'raise ValueError(f"vocab_size has to be {smallest} at least")'),
        caught_by=REFUSED,
        explanation="""The message says what is needed, and not what was given. With both one sees what went wrong.""",
    ),
    mistake(
        "the error does not say what is needed",
        swap(NO_ROOM, 'raise ValueError(f"vocab_size is {vocab_size}, which is too small")'),
        caught_by=REFUSED,
        explanation="""The message says what was given, and not what is needed. With both one sees what went wrong.""",
    ),
    mistake(
        "an assert instead of a ValueError",
        swap(SMALL, "assert vocab_size >= smallest\n    if False:"),
        caught_by=REFUSED,
        explanation="""A vocabulary too small ends in an AssertionError. What is promised is a ValueError, and `python -O` leaves asserts out.""",
    ),
    mistake(
        "only bytes that occur",
        swap(
            IDS,
            "here = set(text.encode())\n    kept = [token for token in ranks if len(token) > 1 or token[0] in here]\n    ranks = {token: i for i, token in enumerate(kept)}\n    return ranks, {special: len(ranks) + i for i, special in enumerate(special_tokens)}",
        ),
        caught_by=FIRST,
        explanation="""Bytes that the text does not hold get no rank. Another text may hold them, and then it cannot be encoded.""",
    ),
    mistake(
        "GPT-2's order of bytes",
        swap(
            IDS,
            "shown = [byte for byte in range(256) if chr(byte).isprintable() and not chr(byte).isspace()]\n    order = shown + [byte for byte in range(256) if byte not in shown]\n    ranks |= {bytes([byte]): i for i, byte in enumerate(order)}\n    return ranks, {special: len(ranks) + i for i, special in enumerate(special_tokens)}",
        ),
        caught_by=FIRST,
        explanation="""The bytes that can be shown come first, as in GPT-2's own file. Here they come in order, from 0 to 255.""",
    ),
    mistake(
        "only 128 bytes",
        swap(
            IDS,
            "ranks = {token: rank for token, rank in ranks.items() if token[0] < 128 or len(token) > 1}\n    return ranks, {special: len(ranks) + i for i, special in enumerate(special_tokens)}",
        ),
        caught_by=FIRST,
        explanation="""Only ASCII has ranks. The bytes of all other characters are 128 and more.""",
    ),
    mistake(
        "an error where no pair is left",
        anew(stop="pass"),
        caught_by=ENDS,
        explanation="""When every piece is a single token, `max` has nothing to choose from. Training ends then, with fewer tokens than asked for.""",
    ),
    mistake(
        "pairs that occur once are not merged",
        anew(stop="if max(counts.values(), default=0) < 2:\n            break"),
        caught_by=ENDS,
        explanation="""Training ends when no pair occurs twice. It ends when no pair is left, or the vocabulary is full.""",
    ),
    mistake(
        "one merge too few",
        swap(ROOM, "while heap and len(ranks) + len(special_tokens) < vocab_size - 1:"),
        caught_by=FREQUENT,
        explanation="""The last token is not made. vocab_size is how many there are, special ones and bytes among them.""",
    ),
    mistake(
        "one merge too many",
        swap(ROOM, "while heap and len(ranks) + len(special_tokens) <= vocab_size:"),
        caught_by=FREQUENT,
        explanation="""A token more is made than asked for. vocab_size is how many there are, special ones and bytes among them.""",
    ),
    mistake(
        "special tokens take no room",
        swap(ROOM, "while heap and len(ranks) < vocab_size:"),
        caught_by=FOLLOW,
        explanation="""The ranks alone fill the vocabulary, and the special tokens come on top. vocab_size counts them as well.""",
    ),
    mistake(
        "vocab_size merges",
        swap(ROOM, "while heap and len(ranks) - 256 + len(special_tokens) < vocab_size:"),
        caught_by=FREQUENT,
        explanation="""vocab_size is taken for the number of merges. The 256 bytes are part of the vocabulary.""",
    ),
    mistake(
        "pieces count once in training",
        swap(SINGLE, "pieces = {tuple(bytes([byte]) for byte in word): 1 for word in words}"),
        caught_by=FREQUENT,
        explanation="""Each piece counts once, however often it occurs. What is frequent in the text is then no longer frequent here.""",
    ),
    mistake(
        "characters, not bytes",
        swap(SINGLE, "pieces = {tuple(c.encode() for c in word.decode()): count for word, count in words.items()}"),
        caught_by=FREQUENT,
        explanation="""A piece begins as its characters. `é` is two bytes, which are tokens of their own until they are merged.""",
    ),
    mistake(
        "the whole text is a piece",
        swap(WORDS, "words[part.encode()] += 1"),
        caught_by=FREQUENT,
        explanation="""The text is not cut into pieces, so tokens are learned across words. The pattern says where nothing is merged.""",
    ),
    mistake(
        "cut at white space",
        swap(WORDS, "words.update(word.encode() for word in part.split())"),
        caught_by=FREQUENT,
        explanation="""The text is cut at white space, and the pattern is not asked. Where pieces end is the pattern's decision.""",
    ),
    mistake(
        "the last part alone",
        swap(WORDS, "words = split_pieces(part, pattern)"),
        caught_by=NO_PART,
        explanation="""Each part of the text takes the place of the one before. The pieces of all parts are counted together.""",
    ),
    mistake(
        "special tokens are learned from",
        swap(PARTS, "for part in [text]:"),
        caught_by=NO_PART,
        explanation="""The text is not cut at special tokens, and their letters are merged like any others. They are no text.""",
    ),
    mistake(
        "special tokens are signs of a pattern",
        swap(BORDERS, 'borders = "|".join(sorted(special_tokens, key=len, reverse=True))'),
        caught_by=NO_PART,
        explanation="""Signs such as `|` and `.` in a special token are read as those of a pattern. Each stands for itself.""",
    ),
    mistake(
        "the shortest special token wins (training)",
        swap(BORDERS, 'borders = "|".join(map(regex.escape, sorted(special_tokens, key=len)))'),
        caught_by=NO_PART,
        explanation="""Where two special tokens begin alike the text is cut at the shorter one, and the rest of the longer is taken for text. The longest wins.""",
    ),
    mistake(
        "the first special token in the list wins (training)",
        swap(BORDERS, 'borders = "|".join(map(regex.escape, special_tokens))'),
        caught_by=NO_PART,
        explanation="""Where two special tokens begin alike the one that stands first in the list wins. The longest does.""",
    ),
    mistake(
        "special tokens are taken out without a cut",
        swap(PARTS, 'for part in ["".join(regex.split(borders, text)) if borders else text]:'),
        caught_by=NO_PART,
        explanation="""The special tokens are removed, and what stood on either side grows together. The text is cut there.""",
    ),
    mistake(
        "blanks for special tokens",
        swap(PARTS, 'for part in [" ".join(regex.split(borders, text)) if borders else text]:'),
        caught_by=NO_PART,
        explanation="""Each special token becomes a blank, and blanks are learned from. The text is cut there, and nothing is put in.""",
    ),
    mistake(
        "only the first special token is cut out",
        swap(PARTS, "for part in regex.split(borders, text, maxsplit=1) if borders else [text]:"),
        caught_by=NO_PART,
        explanation="""The text is cut once. A special token may come many times.""",
    ),
    mistake(
        "the text ends at the first special token",
        swap(PARTS, "for part in regex.split(borders, text)[:1] if borders else [text]:"),
        caught_by=NO_PART,
        explanation="""What follows the first special token is not learned from. All parts are.""",
    ),
    mistake(
        "special tokens are pieces",
        swap(PARTS, 'for part in regex.split(f"({borders})", text) if borders else [text]:'),
        caught_by=NO_PART,
        explanation="""The text is cut at special tokens, and they stay among the parts, as pieces to learn from. They are no text.""",
    ),
    mistake(
        "special tokens in capitals or not",
        swap(
            BORDERS,
            'borders = "|".join(map(regex.escape, sorted(special_tokens, key=len, reverse=True)))\n    borders = borders and "(?i)" + borders',
        ),
        caught_by=NO_PART,
        explanation="""Capitals make no difference to where the text is cut. A special token is the very same characters.""",
    ),
    mistake(
        "special tokens come first",
        swap(
            IDS,
            "n = len(special_tokens)\n    return {token: rank + n for token, rank in ranks.items()}, {special: i for i, special in enumerate(special_tokens)}",
        ),
        caught_by=FOLLOW,
        explanation="""The special tokens have the ids from 0 on, and all ranks are shifted. A rank is an id, and the single bytes come first.""",
    ),
    mistake(
        "special tokens stand between bytes and merges",
        swap(
            IDS,
            "n = len(special_tokens)\n    return {token: rank + n * (rank > 255) for token, rank in ranks.items()}, {special: 256 + i for i, special in enumerate(special_tokens)}",
        ),
        caught_by=FOLLOW,
        explanation="""The special tokens have the ids from 256 on, and the merges come behind. They follow the last rank.""",
    ),
    mistake(
        "special tokens from the last rank on",
        swap(IDS, "return ranks, {special: len(ranks) - 1 + i for i, special in enumerate(special_tokens)}"),
        caught_by=FOLLOW,
        explanation="""The first special token has the id of the last rank. It gets the next one.""",
    ),
    mistake(
        "special tokens leave a gap",
        swap(
            IDS,
            "return ranks, {special: vocab_size - len(special_tokens) + i for i, special in enumerate(special_tokens)}",
        ),
        caught_by=FOLLOW,
        explanation="""The special tokens are counted from the end of vocab_size, also where training has ended early. They follow the last rank.""",
    ),
    mistake(
        "special tokens in sorted order",
        swap(IDS, "return ranks, {special: len(ranks) + i for i, special in enumerate(sorted(special_tokens))}"),
        caught_by=FOLLOW,
        explanation="""The special tokens are sorted before they get ids. They keep the order in which they were given.""",
    ),
    mistake(
        "special tokens in reverse order",
        swap(IDS, "return ranks, {special: len(ranks) + i for i, special in enumerate(reversed(special_tokens))}"),
        caught_by=FOLLOW,
        explanation="""The last special token gets the first id. They keep the order in which they were given.""",
    ),
    mistake(
        "special tokens among the ranks",
        swap(
            IDS,
            "special = {special: len(ranks) + i for i, special in enumerate(special_tokens)}\n    return ranks | {token.encode(): i for token, i in special.items()}, special",
        ),
        caught_by=FOLLOW,
        explanation="""The special tokens have ranks as well, and any text with their letters would be merged into them. They are no text.""",
    ),
    # Step 4
    mistake(
        "all special tokens are allowed",
        swap(
            NONE_ALLOWED,
            "allowed_special = self.special\n        if not allowed_special:\n            return self.ordinary.encode(text)\n        ",
        ),
        caught_by=UNLESS,
        explanation="""Special tokens are one id whether they are allowed or not. Anyone could then end a text by typing its end.""",
    ),
    mistake(
        "all are allowed where one is",
        swap(
            NONE_ALLOWED,
            "if not allowed_special:\n            return self.ordinary.encode(text)\n        allowed_special = self.special\n        ",
        ),
        caught_by=UNLESS,
        explanation="""As soon as one special token is allowed all of them are. Each is text unless it is allowed itself.""",
    ),
    mistake(
        "no special token is ever allowed",
        swap(NONE_ALLOWED, "return self.ordinary.encode(text)\n        "),
        caught_by=ONE_ID,
        explanation="""Special tokens are encoded as text, allowed or not. One that is allowed is a single id.""",
    ),
    mistake(
        "special tokens are an error unless allowed",
        swap(
            NONE_ALLOWED,
            'if any(token in text for token in self.special if token not in allowed_special):\n            raise ValueError("a special token that is not allowed")\n        if not allowed_special:\n            return self.ordinary.encode(text)\n        ',
        ),
        caught_by=UNLESS,
        explanation="""A text with a special token that is not allowed is refused, as tiktoken does it. Here it is text like the rest.""",
    ),
    mistake(
        "special tokens are lost unless allowed",
        swap(
            NONE_ALLOWED,
            'for token in self.special:\n            text = text if token in allowed_special else text.replace(token, "")\n        if not allowed_special:\n            return self.ordinary.encode(text)\n        ',
        ),
        caught_by=UNLESS,
        explanation="""Special tokens that are not allowed are removed from the text. They are text like the rest, and have to come back.""",
    ),
    mistake(
        "an empty pattern where none is allowed",
        swap(NONE_ALLOWED, ""),
        caught_by=PLAIN,
        explanation="""Where no special token is allowed the pattern is empty, and fits between any two characters. There is nothing to cut at then.""",
    ),
    mistake(
        "special tokens are signs of a pattern (encode)",
        swap(ALLOWED, 'borders = "|".join(sorted(allowed_special, key=len, reverse=True))'),
        caught_by=ONE_ID,
        explanation="""Signs such as `|` and `.` in a special token are read as those of a pattern. Each stands for itself.""",
    ),
    mistake(
        "the shortest special token wins (encode)",
        swap(ALLOWED, 'borders = "|".join(map(regex.escape, sorted(allowed_special, key=len)))'),
        caught_by=ONE_ID,
        explanation="""Where two special tokens begin alike the shorter one is taken, and the rest of the longer is text. The longest wins.""",
    ),
    mistake(
        "the first special token of the table wins",
        swap(ALLOWED, 'borders = "|".join(regex.escape(token) for token in self.special if token in allowed_special)'),
        caught_by=ONE_ID,
        explanation="""Where two special tokens begin alike the one that stands first in the table wins. The longest does.""",
    ),
    mistake(
        "special tokens vanish",
        swap(CUT, "for part in regex.split(borders, text):"),
        caught_by=ONE_ID,
        explanation="""The text is cut at special tokens, and they are dropped. Each is an id between the parts.""",
    ),
    mistake(
        "special tokens go to the end",
        swap(CUT, 'for part in sorted(regex.split(f"({borders})", text), key=lambda part: part in allowed_special):'),
        caught_by=ONE_ID,
        explanation="""All special tokens come after the text. Each stands where it stood.""",
    ),
    mistake(
        "ids of special tokens are made up",
        swap(
            COLLECT,
            "ids += [len(self.ranks) + list(self.special).index(part)] if part in allowed_special else self.ordinary.encode(part)",
        ),
        caught_by=ONE_ID,
        explanation="""Special tokens get the ids that follow the ranks. Which ids they have says the table that was given.""",
    ),
    mistake(
        "places among the allowed are ids",
        swap(
            COLLECT,
            "ids += [len(self.ranks) + sorted(allowed_special).index(part)] if part in allowed_special else self.ordinary.encode(part)",
        ),
        caught_by=ONE_ID,
        explanation="""A special token gets an id by its place among those that are allowed. Which id it has says the table that was given.""",
    ),
    mistake(
        "blanks around special tokens are lost",
        swap(COLLECT, "ids += [self.special[part]] if part in allowed_special else self.ordinary.encode(part.strip())"),
        caught_by=AT_ENDS,
        explanation="""Blanks beside special tokens are taken off. They are text, and have to come back.""",
    ),
    mistake(
        "special tokens are encoded as well",
        swap(COLLECT, "ids += ([self.special[part]] if part in allowed_special else []) + self.ordinary.encode(part)"),
        caught_by=ONE_ID,
        explanation="""A special token gives its id, and then its letters as text too. It is one id.""",
    ),
    mistake(
        "only one special token is found",
        swap(CUT, 'for part in regex.split(f"({borders})", text, maxsplit=1):'),
        caught_by=ONE_ID,
        explanation="""After the first special token the rest of the text is plain. They may come many times.""",
    ),
    mistake(
        "special tokens repeated are one",
        swap(CUT, 'for part in regex.split(f"((?:{borders})+)", text):'),
        swap(
            COLLECT,
            "found = regex.match(borders, part)\n            ids += [self.special[found.group()]] if found else self.ordinary.encode(part)",
        ),
        caught_by=AT_ENDS,
        explanation="""Special tokens that follow one another become a single id. Each has its own.""",
    ),
    mistake(
        "special tokens only as words",
        swap(
            ALLOWED,
            'borders = r"(?<!\\S)(?:" + "|".join(map(regex.escape, sorted(allowed_special, key=len, reverse=True))) + r")(?!\\S)"',
        ),
        caught_by=ONE_ID,
        explanation="""A special token is found only with blanks around it. It may stand in the middle of a word.""",
    ),
    mistake(
        "an end is put behind every text",
        swap(CUT, 'for part in [*regex.split(f"({borders})", text), max(allowed_special)]:'),
        caught_by=ONE_ID,
        explanation="""A special token comes at the end, though the text has none there. What is not in the text has no id.""",
    ),
    mistake(
        "capitals make no difference to special tokens",
        swap(CUT, 'for part in regex.split(f"(?i)({borders})", text):'),
        swap(
            COLLECT,
            "low = {token.lower(): i for token, i in self.special.items() if token in allowed_special}\n            ids += [low[part.lower()]] if part.lower() in low else self.ordinary.encode(part)",
        ),
        caught_by=ONE_ID,
        explanation="""Special tokens are found in capitals and in small letters. A special token is the very same characters.""",
    ),
    mistake(
        "special tokens are left out of the text",
        swap(BACK_SPECIAL, 'self.bytes_of |= {i: b"" for token, i in special.items()}'),
        caught_by=BACK_AGAIN,
        explanation="""Special tokens are skipped when ids become text. What was encoded has to come back, special tokens too.""",
    ),
    mistake(
        "decode knows no special tokens",
        swap(BACK_SPECIAL, "pass"),
        caught_by=BACK_AGAIN,
        explanation="""`decode` looks only among the ranks, and the id of a special token is not there. It has a text like any other.""",
    ),
    mistake(
        "blanks around special tokens (decode)",
        swap(BACK_SPECIAL, 'self.bytes_of |= {i: f" {token} ".encode("utf-8") for token, i in special.items()}'),
        caught_by=BACK_AGAIN,
        explanation="""Special tokens come back with blanks around them. The text has to come back as it was.""",
    ),
    mistake(
        "tokens are decoded one by one",
        swap(DECODE, 'return "".join(self.bytes_of[i].decode("utf-8", errors="replace") for i in ids)'),
        caught_by=BACK_AGAIN,
        explanation="""Each token becomes text by itself. A character may span several tokens: put all bytes together first.""",
    ),
    mistake(
        "broken bytes are an error",
        swap(DECODE, 'return b"".join(self.bytes_of[i] for i in ids).decode("utf-8")'),
        caught_by=BROKEN,
        explanation="""Bytes that are no valid UTF-8 raise an error. A model may write such, and they become the replacement character.""",
    ),
    mistake(
        "broken bytes are dropped",
        swap(DECODE, 'return b"".join(self.bytes_of[i] for i in ids).decode("utf-8", errors="ignore")'),
        caught_by=BROKEN,
        explanation="""Bytes that are no valid UTF-8 disappear. The replacement character says that something was lost.""",
    ),
    mistake(
        "bytes are decoded as Latin-1",
        swap(DECODE, 'return b"".join(self.bytes_of[i] for i in ids).decode("latin-1")'),
        caught_by=BACK_AGAIN,
        explanation="""Each byte becomes a character. In UTF-8 a character may be several bytes.""",
    ),
    mistake(
        "decode returns bytes",
        swap(DECODE, 'return b"".join(self.bytes_of[i] for i in ids)'),
        caught_by=BACK_AGAIN,
        explanation="""`decode` gives the bytes. What is asked for is the text that they spell.""",
    ),
    mistake(
        "blanks between tokens",
        swap(DECODE, 'return b" ".join(self.bytes_of[i] for i in ids).decode("utf-8", errors="replace")'),
        caught_by=BACK_AGAIN,
        explanation="""A blank is put between any two tokens. Where there is a blank it is part of a token.""",
    ),
    mistake(
        "each line by itself",
        swap(SURE, "for match in self.pattern.finditer(held):"),
        caught_by=STREAMS,
        explanation="""Each line is encoded as if the text ended with it. A cut may go through a piece, whose halves have other ids.""",
    ),
    mistake(
        "only the last piece is held back",
        swap(SURE, "for match in list(self.pattern.finditer(held))[:-1]:"),
        caught_by=IN_PIECES,
        explanation="""All pieces but the last are taken for certain. At `I'l` the pattern sees `'` and `l`, and with one more `l` they are a single piece.""",
    ),
    mistake(
        "too much is held back at the end",
        swap(REST, "yield from self.encode(held[: len(held) // 2 * 2])"),
        caught_by=STREAMS,
        explanation="""What is left when the lines end is not encoded to its last character. The text ends there, and all of it counts.""",
    ),
    mistake(
        "the rest is never encoded",
        swap(REST, "return"),
        caught_by=STREAMS,
        explanation="""What was held back when the lines end is lost. The text ends there, and all of it counts.""",
    ),
    mistake(
        "what was encoded stays",
        swap(FORGET, "pass"),
        caught_by=STREAMS,
        explanation="""What has been encoded is not taken off, and is encoded again with the next line. Its ids come twice.""",
    ),
    mistake(
        "too much is forgotten",
        swap(FORGET, 'held = held[done:] if done == 0 else ""'),
        caught_by=STREAMS,
        explanation="""After some pieces were encoded all that was held is thrown away, also what was not encoded yet. Only what is encoded is forgotten.""",
    ),
    mistake(
        "what is held is lost with the next line",
        swap(GROW, "held = line"),
        caught_by=STREAMS,
        explanation="""A line takes the place of what was held back from the one before. It is put behind it.""",
    ),
    mistake(
        "the new line comes first",
        swap(GROW, "held = line + held"),
        caught_by=STREAMS,
        explanation="""A line is put before what was held back from the one before. It comes behind.""",
    ),
    mistake(
        "line ends are lost",
        swap(GROW, 'held += line.rstrip("\\n")'),
        caught_by=IN_PIECES,
        explanation="""Line breaks are taken off each line. They are text, and have ids.""",
    ),
    mistake(
        "blanks at the ends of lines are lost",
        swap(GROW, "held += line.strip()"),
        caught_by=STREAMS,
        explanation="""White space at both ends of each line is taken off. It is text, and has ids.""",
    ),
    mistake(
        "line ends are added",
        swap(GROW, 'held += line + "\\n"'),
        caught_by=STREAMS,
        explanation="""A line break is put behind each line. The lines come as they are: where there is a break it is in them.""",
    ),
    mistake(
        "blanks are put between lines",
        swap(GROW, 'held += " " + line if held else line'),
        caught_by=STREAMS,
        explanation="""A blank is put between two lines. The text is the lines one after the other, with nothing between.""",
    ),
    mistake(
        "cut at the last blank",
        swap(
            STREAM,
            'held = ""\n        for line in lines:\n            held += line\n            at = max(held.rfind(" "), 0)\n            yield from self.encode(held[:at])\n            held = held[at:]\n        yield from self.encode(held)',
        ),
        caught_by=IN_PIECES,
        explanation="""The text is cut at the last blank, as if a piece always began there. Several blanks, or a blank before a line break, may be one piece.""",
    ),
    mistake(
        "cut at the last line end",
        swap(
            STREAM,
            'held = ""\n        for line in lines:\n            held += line\n            at = held.rfind("\\n") + 1\n            yield from self.encode(held[:at])\n            held = held[at:]\n        yield from self.encode(held)',
        ),
        caught_by=IN_PIECES,
        explanation="""The text is cut behind each line break. White space may go on behind it, and is one piece with it.""",
    ),
    mistake(
        "lines that are empty end the text",
        swap(GROW, "if not line:\n                break\n            held += line"),
        caught_by=STREAMS,
        explanation="""An empty line is taken for the end. There may be more behind it: the lines end when there are no more of them.""",
    ),
    mistake(
        "the whole text is read first",
        swap(STREAM, 'yield from self.encode("".join(lines))'),
        caught_by=AS_USED,
        explanation="""All lines are put together before the first id is given. A text that does not fit into memory cannot be encoded so.""",
    ),
    mistake(
        "a list of ids",
        swap(STREAM, 'return iter(self.encode("".join(lines)))'),
        caught_by=AS_USED,
        explanation="""All lines are read and encoded at once, when the function is called. The ids should come one after the other, as they are asked for.""",
    ),
    mistake(
        "a list, not an iterator",
        swap(STREAM, 'return self.encode("".join(lines))'),
        caught_by=AS_USED,
        explanation="""A list of all ids is returned. They should come one after the other, and only as many lines be read as are needed.""",
    ),
    mistake(
        "each line is read before it is due",
        swap("for line in lines:", "for line in list(lines):"),
        caught_by=AS_USED,
        explanation="""All lines are read into a list first. The next one should be read when an id from it is asked for.""",
    ),
    mistake(
        "lists of ids",
        swap(GIVE, 'yield bpe_merge(match.group().encode("utf-8"), self.ranks)'),
        caught_by=STREAMS,
        explanation="""The ids of each piece come in a list. They should come one by one.""",
    ),
    mistake(
        "all ids are kept",
        swap(
            STREAM,
            'held, ids = "", []\n        for line in lines:\n            held += line\n            done, first = 0, len(ids)\n            for match in list(self.pattern.finditer(held))[:-2]:\n                ids += bpe_merge(match.group().encode("utf-8"), self.ranks)\n                done = match.end()\n            held = held[done:]\n            yield from ids[first:]\n        yield from self.encode(held)',
        ),
        caught_by=MEMORY,
        explanation="""The ids that were given are kept in a list that grows with the text. Nobody asks for them again.""",
    ),
    mistake(
        "all text is kept",
        swap(
            STREAM,
            'held, start = "", 0\n        for line in lines:\n            held += line\n            for match in list(self.pattern.finditer(held, start))[:-2]:\n                yield from bpe_merge(match.group().encode("utf-8"), self.ranks)\n                start = match.end()\n        yield from self.encode(held[start:])',
        ),
        caught_by=MEMORY,
        explanation="""The text that has been encoded stays in memory, and only the place moves on. A long text does not fit.""",
    ),
    mistake(
        "what a stream holds back is kept for the next",
        swap(
            STREAM,
            """held = getattr(self, "held", "")
        for line in lines:
            held += line
            done = 0
            for match in list(self.pattern.finditer(held))[:-2]:
                yield from bpe_merge(match.group().encode("utf-8"), self.ranks)
                done = match.end()
            held = self.held = held[done:]
        yield from self.encode(held)""",
        ),
        caught_by="test_streams_of_a_tokenizer_do_not_meet",
        explanation="""What is held back is kept on the tokenizer, and the next stream begins with it. Each stream has a rest of
        its own: a local variable.""",
    ),
    mistake(
        "all streams share what is held back",
        swap(
            STREAM,
            """self.held = ""
        for line in lines:
            self.held += line
            done = 0
            for match in list(self.pattern.finditer(self.held))[:-2]:
                yield from bpe_merge(match.group().encode("utf-8"), self.ranks)
                done = match.end()
            self.held = self.held[done:]
        yield from self.encode(self.held)""",
        ),
        caught_by="test_streams_of_a_tokenizer_do_not_meet",
        explanation="""What is held back is kept on the tokenizer. Two streams that are read in turns then put their lines
        together. Each stream has a rest of its own: a local variable.""",
    ),
    mistake(
        "the text is brought to one form",
        swap(FIND, FIND.replace("(pattern, text)", '(pattern, __import__("unicodedata").normalize("NFC", text))')),
        caught_by="test_pieces_of_any_text",
        explanation="""The text is normalised before it is cut, so an é of two characters becomes one. A tokenizer gives back
        what it got, byte for byte.""",
    ),
    mistake(
        "line ends are brought to one form",
        swap(FIND, FIND.replace("(pattern, text)", '(pattern, text.replace("\\r\\n", "\\n").replace("\\r", "\\n"))')),
        caught_by="test_pieces_of_any_text",
        explanation="""\\r\\n becomes \\n before the text is cut. A tokenizer gives back what it got, byte for byte.""",
    ),
    mistake(
        "special tokens are allowed in streams",
        swap(
            STREAM,
            'held = ""\n        for line in lines:\n            held += line\n            done = 0\n            for match in list(self.pattern.finditer(held))[:-2]:\n                done = match.end()\n            yield from self.encode(held[:done], self.special)\n            held = held[done:]\n        yield from self.encode(held, self.special)',
        ),
        caught_by=IN_PIECES,
        explanation="""Special tokens in a stream are one id. In a stream none is allowed: they are text.""",
    ),
    mistake(
        "lines are encoded with the bytes' values",
        swap(GIVE, 'yield from match.group().encode("utf-8")'),
        caught_by=IN_PIECES,
        explanation="""The bytes of a piece are given as they are. They are merged by the ranks first.""",
    ),
]
