"""k01: what people get wrong about tokens."""

from dojo.spec import mistake, swap

CHARACTERS = "characters = sorted(set(text))"
STOI = "self.stoi = {character: i for i, character in enumerate(characters)}"
ITOS = "self.itos = {i: character for i, character in enumerate(characters)}"
SIZE = "self.vocab_size = len(characters)"
REFUSE = 'raise ValueError(f"character {character!r} at place {place} is not in the vocabulary")'
ENCODE = "return [self.stoi[character] for character in text]"
SEARCH = "for place, character in enumerate(text):"
DECODE = 'return "".join(self.itos[i] for i in ids)'
PARTS = "parts = [bytes([byte]) for byte in piece]"
LOOP = "while len(parts) > 1:"
PAIR_RANKS = "pair_ranks = [ranks.get(left + right, math.inf) for left, right in pairwise(parts)]"
STOP = "break  # no neighbours make a token any more"
PLACE = "i = pair_ranks.index(best)"
MERGE = "parts[i : i + 2] = [parts[i] + parts[i + 1]]"
IDS = "return [ranks[part] for part in parts]"
PATTERN = "self.pattern = regex.compile(pattern)"
TABLE = "self.token_of = {i: token for token, i in ranks.items()}"
PIECES = "for match in self.pattern.finditer(text):"
COLLECT = 'ids += bpe_merge(match.group().encode("utf-8"), self.ranks)'
TEXT = 'return joined.decode("utf-8", errors="replace")'

MISTAKES = [
    # Step 1
    mistake(
        "the set is not sorted",
        swap(CHARACTERS, "characters = list(set(text))"),
        caught_by="test_characters_are_numbered_in_sorted_order",
        explanation="""The characters are numbered as the set happens to hand them out, and Python shuffles that order
        from run to run. A model trained yesterday would read other letters today.""",
    ),
    mistake(
        "numbered in order of appearance",
        swap(CHARACTERS, "characters = list(dict.fromkeys(text))"),
        caught_by="test_characters_are_numbered_in_sorted_order",
        explanation="""A character gets its id when it first turns up. Two texts with the same characters then have
        different vocabularies.""",
    ),
    mistake(
        "numbered by frequency",
        swap(CHARACTERS, "characters = sorted(set(text), key=lambda c: (-text.count(c), c))"),
        caught_by="test_characters_are_numbered_in_sorted_order",
        explanation="""The most frequent character comes first. The ids then change with every line that is added to
        the text, though its characters stay the same.""",
    ),
    mistake(
        "sorted backwards",
        swap(CHARACTERS, "characters = sorted(set(text), reverse=True)"),
        caught_by="test_characters_are_numbered_in_sorted_order",
        explanation="""The characters are numbered from the last to the first. The vocabulary is the sorted set, with
        the smallest character at 0.""",
    ),
    mistake(
        "capitals stand beside their small letters",
        swap(CHARACTERS, "characters = sorted(sorted(set(text)), key=str.lower)"),
        caught_by="test_characters_are_numbered_in_sorted_order",
        explanation="""The characters are sorted as if all of them were small letters. In sorted order every capital
        comes before every small letter of ASCII.""",
    ),
    mistake(
        "each character of the text is numbered",
        swap(CHARACTERS, "characters = sorted(text)"),
        caught_by="test_ids_are_exactly_0_to_vocab_size",
        explanation="""A character that occurs five times gets five ids, and `vocab_size` is the length of the text. A
        vocabulary holds each character once.""",
    ),
    mistake(
        "words instead of characters",
        swap(CHARACTERS, "characters = sorted(set(text.split()))"),
        caught_by="test_ids_are_exactly_0_to_vocab_size",
        explanation="""The text is cut at white space, and whole words are numbered. Here a token is one character, and
        white space is made of characters too.""",
    ),
    mistake(
        "code points are taken for ids",
        swap(STOI, "self.stoi = {character: ord(character) for character in characters}"),
        swap(ITOS, "self.itos = {ord(character): character for character in characters}"),
        caught_by="test_ids_are_exactly_0_to_vocab_size",
        explanation="""The id of a character is its number in Unicode. Those numbers have gaps and run into the
        thousands, where ids count the characters of the vocabulary.""",
    ),
    mistake(
        "upper case is lost",
        swap(CHARACTERS, "characters = sorted(set(text.lower()))"),
        caught_by="test_ids_are_exactly_0_to_vocab_size",
        explanation="""The text is made lower case before its characters are collected. `A` and `a` are two
        characters, and the text could not come back as it was.""",
    ),
    mistake(
        "white space is left out",
        swap(CHARACTERS, 'characters = sorted(set("".join(text.split())))'),
        caught_by="test_ids_are_exactly_0_to_vocab_size",
        explanation="""Spaces and line breaks get no id. They are characters like all others, and without them words
        run together.""",
    ),
    mistake(
        "ids from 1",
        swap(STOI, "self.stoi = {character: i for i, character in enumerate(characters, 1)}"),
        swap(ITOS, "self.itos = {i: character for i, character in enumerate(characters, 1)}"),
        caught_by="test_ids_are_exactly_0_to_vocab_size",
        explanation="""The first character has id 1, so the last has an id as large as the vocabulary. Ids are rows of a
        table, and its rows are counted from 0.""",
    ),
    mistake(
        "stoi and itos are exchanged",
        swap(STOI, "self.itos = {character: i for i, character in enumerate(characters)}"),
        swap(ITOS, "self.stoi = {i: character for i, character in enumerate(characters)}"),
        caught_by="test_ids_are_exactly_0_to_vocab_size",
        explanation="""`stoi` leads from ids to characters and `itos` from characters to ids. The names say it: string
        to integer, integer to string.""",
    ),
    mistake(
        "vocab_size is the largest id",
        swap(SIZE, "self.vocab_size = len(characters) - 1"),
        caught_by="test_ids_are_exactly_0_to_vocab_size",
        explanation="""`vocab_size` is one short: it is the last id, not the number of ids. A layer of that width has no
        place for the last character.""",
    ),
    mistake(
        "vocab_size is the length of the text",
        swap(SIZE, "self.vocab_size = len(text)"),
        caught_by="test_ids_are_exactly_0_to_vocab_size",
        explanation="""All characters of the text are counted, repeated ones too. The size of a vocabulary is the number
        of different ones.""",
    ),
    mistake(
        "a place is kept for unknown characters",
        swap(SIZE, "self.vocab_size = len(characters) + 1"),
        caught_by="test_ids_are_exactly_0_to_vocab_size",
        explanation="""`vocab_size` counts one more than there are characters. This tokenizer has no token for what it
        does not know: it refuses it.""",
    ),
    # Step 2
    mistake(
        "decode returns a list",
        swap(DECODE, "return [self.itos[i] for i in ids]"),
        caught_by="test_decode_gives_the_text_of_the_ids",
        explanation="""`decode` gives a list of characters. What went into `encode` was one string, and that is what has
        to come back.""",
    ),
    mistake(
        "decode puts spaces between",
        swap(DECODE, 'return " ".join(self.itos[i] for i in ids)'),
        caught_by="test_decode_gives_the_text_of_the_ids",
        explanation="""The characters are joined with a space between any two. A space is a character of its own and was
        not in the text.""",
    ),
    mistake(
        "decode returns the last character only",
        swap(DECODE, 'return [*(self.itos[i] for i in ids), ""][max(len(ids) - 1, 0)]'),
        caught_by="test_decode_gives_the_text_of_the_ids",
        explanation="""Of all characters only the last one is handed back. Each has to be appended to those before
        it.""",
    ),
    mistake(
        "encode drops repeated characters",
        swap(ENCODE, "return [self.stoi[character] for character in dict.fromkeys(text)]"),
        caught_by="test_encode_gives_the_id_of_every_character",
        explanation="""A character that has occurred before is left out. The vocabulary holds each character once; a text
        repeats them.""",
    ),
    mistake(
        "encode returns a tuple",
        swap(ENCODE, "return tuple(self.stoi[character] for character in text)"),
        caught_by="test_encode_gives_the_id_of_every_character",
        explanation="""The ids come in a tuple. The signature promises a list, and whoever appends to it will find
        out.""",
    ),
    mistake(
        "the ids come as text",
        swap(ENCODE, "return [str(self.stoi[character]) for character in text]"),
        caught_by="test_encode_gives_the_id_of_every_character",
        explanation="""The list holds digits in quotes. A model looks ids up as rows of a table, and rows are counted with
        integers.""",
    ),
    mistake(
        "strange characters are skipped",
        swap(REFUSE, "continue"),
        swap(ENCODE, "return [self.stoi[character] for character in text if character in self.stoi]"),
        caught_by="test_a_strange_character_is_refused_wherever_it_stands",
        explanation="""A character outside the vocabulary disappears without a word. The text that comes back is then
        another one, and nobody was told.""",
    ),
    mistake(
        "strange characters become id 0",
        swap(REFUSE, "continue"),
        swap(ENCODE, "return [self.stoi.get(character, 0) for character in text]"),
        caught_by="test_a_strange_character_is_refused_wherever_it_stands",
        explanation="""A character outside the vocabulary gets the id of the first character in it. When decoded, the
        text holds a letter that nobody wrote.""",
    ),
    mistake(
        "strange characters become None",
        swap(REFUSE, "continue"),
        swap(ENCODE, "return [self.stoi.get(character) for character in text]"),
        caught_by="test_a_strange_character_is_refused_wherever_it_stands",
        explanation="""A character outside the vocabulary comes back as None among the ids. That None is found much
        later, far from the text that it came from.""",
    ),
    mistake(
        "id 0 counts as missing",
        swap("if character not in self.stoi:", "if not self.stoi.get(character):"),
        caught_by="test_encode_gives_the_id_of_every_character",
        explanation="""The first character of the vocabulary is refused, as if it were not in it. Its id is 0, and
        Python takes 0 for false.""",
    ),
    mistake(
        "a KeyError instead of an explanation",
        swap(REFUSE, "break"),
        caught_by="test_a_strange_character_is_refused_wherever_it_stands",
        explanation="""A character outside the vocabulary ends in a KeyError. What is promised is a ValueError, and
        whoever waits for that one is not told.""",
    ),
    mistake(
        "the error does not say where",
        swap(REFUSE, 'raise ValueError(f"character {character!r} is not in the vocabulary")'),
        caught_by="test_a_strange_character_is_refused_with_its_place",
        explanation="""The message names the character and not its place. In a text of a million characters the place is
        what one needs.""",
    ),
    mistake(
        "the error does not show the character",
        swap(REFUSE, 'raise ValueError(f"place {place} holds a character outside the vocabulary")'),
        caught_by="test_a_strange_character_is_refused_wherever_it_stands",
        explanation="""The message tells the place and keeps the character to itself. Which one it is often says already
        what went wrong.""",
    ),
    mistake(
        "the place is counted from 1",
        swap(REFUSE, REFUSE.replace("{place}", "{place + 1}")),
        caught_by="test_a_strange_character_is_refused_with_its_place",
        explanation="""The message gives the place plus one. Places in a string count from 0, so that `text[place]` shows
        the character.""",
    ),
    mistake(
        "the last place of the character",
        swap(REFUSE, REFUSE.replace("{place}", "{text.rindex(character)}")),
        caught_by="test_a_strange_character_is_refused_with_its_place",
        explanation="""Where the strange character stands several times, the message gives its last place. Whoever reads
        the text from its beginning finds another one first.""",
    ),
    mistake(
        "strange white space is skipped",
        swap(REFUSE, "if character.isspace():\n                    continue\n                " + REFUSE),
        swap(ENCODE, "return [self.stoi[character] for character in text if character in self.stoi]"),
        caught_by="test_strange_white_space_is_refused",
        explanation="""White space outside the vocabulary disappears without a word. A line break is a character too, and
        without it the text that comes back is another one.""",
    ),
    mistake(
        "white space at the ends is lost (encode)",
        swap(ENCODE, "return [self.stoi[character] for character in text.strip()]"),
        caught_by="test_characters_come_back_unchanged",
        explanation="""White space at the beginning and the end of the text gets no ids. A last line break is a character
        of the text, and has to come back with the others.""",
    ),
    mistake(
        "the ids of earlier calls stay (CharTokenizer)",
        swap(
            ENCODE, 'ids = self.__dict__.setdefault("ids", [])\n        ids += ' + ENCODE[7:] + "\n        return ids"
        ),
        caught_by="test_calls_of_a_char_tokenizer_do_not_meet",
        explanation="""A second call gives the ids of the first one too, and the list that the first gave grows with it.
        What a call gives depends on its text alone.""",
    ),
    # Step 3
    mistake(
        "merges from left to right",
        swap(PLACE, "i = next(i for i, rank in enumerate(pair_ranks) if rank < math.inf)"),
        caught_by="test_neighbours_merge_by_rank",
        explanation="""What comes out is what merging the first neighbours from the left that make a token gives: the
        rank plays no part in it. A token made late may then be preferred to one made early.""",
    ),
    mistake(
        "the highest rank first",
        swap(PLACE, "i = pair_ranks.index(max(rank for rank in pair_ranks if rank < math.inf))"),
        caught_by="test_neighbours_merge_by_rank",
        explanation="""Of all neighbours that make a token, those of highest rank merge. A low rank means that a token was
        made early, and merging repeats that order.""",
    ),
    mistake(
        "a token's place in the table is taken for its rank",
        swap(PARTS, "places = {token: place for place, token in enumerate(ranks)}\n    " + PARTS),
        swap(PAIR_RANKS, PAIR_RANKS.replace("ranks.get", "places.get")),
        caught_by="test_neighbours_merge_by_rank",
        explanation="""Neighbours merge in the order in which the table lists its tokens. A dictionary may list them in any
        order; the rank is the number beside the token.""",
    ),
    mistake(
        "one pass through the table as it stands",
        swap(
            PARTS,
            PARTS
            + """
    for token in ranks:
        i = 0
        while i < len(parts) - 1:
            if parts[i] + parts[i + 1] == token:
                parts[i : i + 2] = [token]
            i += 1""",
        ),
        swap(LOOP, "while False:"),
        caught_by="test_every_token_of_the_table_is_reached",
        explanation="""The tokens are merged one after the other in the order in which the dictionary lists them. That
        may be any order, and what a merge makes possible may have had its turn already.""",
    ),
    mistake(
        "the longest token first",
        swap(
            PAIR_RANKS,
            """pairs = [left + right for left, right in pairwise(parts)]
        pair_ranks = [ranks[pair] / 1e9 - len(pair) if pair in ranks else math.inf for pair in pairs]""",
        ),
        caught_by="test_neighbours_merge_by_rank",
        explanation="""Of all neighbours that make a token, those that make the longest one merge first. Their order is
        that of the ranks, however long the tokens are.""",
    ),
    mistake(
        "the rightmost of equal pairs first",
        swap(PLACE, "i = len(pair_ranks) - 1 - pair_ranks[::-1].index(best)"),
        caught_by="test_neighbours_merge_by_rank",
        explanation="""Where a pair stands in the piece several times, the last one is merged first. In a run of equal
        letters that leaves the odd one over at the wrong end.""",
    ),
    mistake(
        "merges only the first of several equal pairs",
        swap(PARTS, PARTS + "\n    merged = set()"),
        swap(
            PAIR_RANKS,
            "pair_ranks = [math.inf if a + b in merged else ranks.get(a + b, math.inf) for a, b in pairwise(parts)]",
        ),
        swap(MERGE, "merged.add(parts[i] + parts[i + 1])\n        " + MERGE),
        caught_by="test_neighbours_merge_by_rank",
        explanation="""Each token is made once and never again. A pair that stands in the piece a second time has to be
        merged there too.""",
    ),
    mistake(
        "the right neighbour stays",
        swap(MERGE, "parts[i : i + 1] = [parts[i] + parts[i + 1]]"),
        caught_by="test_every_token_of_the_table_is_reached",
        explanation="""The merged token takes the place of the left neighbour only, and the right one stays behind it.
        Its bytes then stand in the result twice.""",
    ),
    mistake(
        "the last part is lost in a merge",
        swap(
            PLACE + "\n        " + MERGE,
            """pairs, merged, i = list(pairwise(parts)), [], 0
        pair = pairs[pair_ranks.index(best)]
        while i < len(pairs):
            found = pairs[i] == pair
            merged.append(parts[i] + parts[i + 1] if found else parts[i])
            i += 2 if found else 1
        parts = merged""",
        ),
        caught_by="test_every_token_of_the_table_is_reached",
        explanation="""Each merge goes through the pairs, and there is one pair less than there are parts. The last part
        is dropped unless it was merged itself.""",
    ),
    mistake(
        "stops one merge early",
        swap(LOOP, "while len(parts) > 2:"),
        caught_by="test_every_token_of_the_table_is_reached",
        explanation="""The loop ends when two parts are left. Those two may make a token together.""",
    ),
    mistake(
        "merges one pair only",
        swap(MERGE, MERGE + "\n        break"),
        caught_by="test_every_token_of_the_table_is_reached",
        explanation="""After the first merge everything stops. A merge makes new neighbours, and they may make longer
        tokens.""",
    ),
    mistake(
        "nothing is merged",
        swap(LOOP, "while False:"),
        caught_by="test_every_token_of_the_table_is_reached",
        explanation="""Every byte stays a token of its own. The ids come back to the right text, and are as many as the
        bytes.""",
    ),
    mistake(
        "merges what is no token",
        swap(STOP, "pass"),
        caught_by="test_neighbours_merge_by_rank",
        explanation="""Merging goes on when no neighbours make a token any more, and the result has no id. There has to be
        an end before one part is left.""",
    ),
    mistake(
        "the longest token from the left",
        swap(
            PARTS,
            """parts, rest = [], piece
    while rest:
        longest = next(rest[:n] for n in range(len(rest), 0, -1) if rest[:n] in ranks)
        parts, rest = [*parts, longest], rest[len(longest) :]""",
        ),
        swap(LOOP, "while False:"),
        caught_by="test_neighbours_merge_by_rank",
        explanation="""The longest token that fits is cut off at the left, again and again. Byte-pair encoding joins
        neighbours in the order of the ranks, and may end with other tokens.""",
    ),
    mistake(
        "the most frequent pair first",
        swap(
            PAIR_RANKS,
            """pairs = list(pairwise(parts))
        pair_ranks = [-pairs.count((a, b)) if a + b in ranks else math.inf for a, b in pairs]""",
        ),
        caught_by="test_neighbours_merge_by_rank",
        explanation="""The pair that stands most often in this piece is merged first. Counting is how the table was once
        made; using it means to follow its ranks.""",
    ),
    mistake(
        "only a whole piece is looked up",
        swap(LOOP, "if piece in ranks:\n        parts = [piece]\n    while False:"),
        caught_by="test_neighbours_merge_by_rank",
        explanation="""A piece that is a token is found, and any other stays in single bytes. Most words are made of
        several tokens.""",
    ),
    mistake(
        "characters instead of bytes",
        swap(PARTS, 'parts = [character.encode("utf-8") for character in piece.decode("utf-8")]'),
        caught_by="test_any_bytes_come_back",
        explanation="""The piece is cut into characters, and a character of several bytes may be no token. Only single
        bytes are sure to stand in the table.""",
    ),
    mistake(
        "a byte's value is taken for its id",
        swap(IDS, "return [ranks[part] if len(part) > 1 else part[0] for part in parts]"),
        caught_by="test_a_single_byte_has_the_id_that_the_table_gives_it",
        explanation="""A byte that was not merged gets its own value as its id. In some tables the two agree, in GPT-2's
        they do not: the table decides.""",
    ),
    mistake(
        "tokens instead of ids",
        swap(IDS, "return parts"),
        caught_by="test_a_single_byte_has_the_id_that_the_table_gives_it",
        explanation="""What comes back are the tokens, as bytes. A model reads their ids.""",
    ),
    # Step 4
    mistake(
        "the pattern is ignored",
        swap(PIECES, 'for match in regex.finditer(r"(?s).+", text):'),
        caught_by="test_encode_equals_tiktoken",
        explanation="""The whole text is merged as one piece. Tokens then cross from one word into the next, which the
        pattern is there to prevent.""",
    ),
    mistake(
        "the pattern is always GPT-2's",
        swap(
            PATTERN,
            r"""self.pattern = regex.compile(
            r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
        )""",
        ),
        caught_by="test_encode_equals_tiktoken",
        explanation="""The text is cut by a pattern that is written into the class. Another tokenizer brings another
        pattern, and hands it over.""",
    ),
    mistake(
        "the pattern does not tell capitals",
        swap(PATTERN, "self.pattern = regex.compile(pattern, regex.IGNORECASE)"),
        caught_by="test_encode_equals_tiktoken",
        explanation="""The pattern matches capitals and small letters alike. A pattern that asks for the one kind then
        matches the other as well, and cuts elsewhere.""",
    ),
    mistake(
        "line by line",
        swap(
            PIECES,
            "for match in (one for line in text.splitlines(True) for one in self.pattern.finditer(line)):",
        ),
        caught_by="test_encode_equals_tiktoken",
        explanation="""The text is cut at its line ends before the pattern sees it. A piece may hold several line breaks, and
        what the pattern matches depends on what comes next.""",
    ),
    mistake(
        "the text is normalised",
        swap("import regex\n", "import unicodedata\n\nimport regex\n"),
        swap(PIECES, 'for match in self.pattern.finditer(unicodedata.normalize("NFC", text)):'),
        caught_by="test_text_comes_back_unchanged",
        explanation="""Letters that can be written with one code point or with several are written in one way. The text
        that comes back looks the same and is another one.""",
    ),
    mistake(
        "carriage returns are lost",
        swap(COLLECT, COLLECT.replace("match.group()", 'match.group().replace("\\r", "")')),
        caught_by="test_text_comes_back_unchanged",
        explanation="""The character `\\r` gets no ids, wherever it stands. It is a character of the text, and has to come
        back with the others.""",
    ),
    mistake(
        "the ids of earlier calls stay (BPETokenizer)",
        swap("ids = []", 'ids = self.__dict__.setdefault("ids", [])'),
        caught_by="test_calls_of_a_bpe_tokenizer_do_not_meet",
        explanation="""A second call gives the ids of the first one too, and the list that the first gave grows with it.
        What a call gives depends on its text alone.""",
    ),
    mistake(
        "a byte-order mark is lost",
        swap(TEXT, TEXT.replace("utf-8", "utf-8-sig")),
        caught_by="test_text_comes_back_unchanged",
        explanation="""A byte-order mark at the beginning of the text does not come back. To a tokenizer it is a character
        like others.""",
    ),
    mistake(
        "every character is a piece",
        swap(PIECES, 'for match in regex.finditer(r"(?s).", text):'),
        caught_by="test_encode_equals_tiktoken",
        explanation="""The text is cut into single characters, and no token can be longer than one. The pieces are what
        the pattern matches.""",
    ),
    mistake(
        "the pattern cuts the pieces out",
        swap(PIECES, "for piece in self.pattern.split(text):"),
        swap(COLLECT, 'ids += bpe_merge(piece.encode("utf-8"), self.ranks)'),
        caught_by="test_encode_equals_tiktoken",
        explanation="""The text is split at the pattern, so that what the pattern matches is thrown away. The matches
        are the pieces themselves.""",
    ),
    mistake(
        "only the first piece is found",
        swap(PIECES, "for match in list(self.pattern.finditer(text))[:1]:"),
        caught_by="test_encode_equals_tiktoken",
        explanation="""The pattern is matched once, at the beginning of the text. The text goes on after the first
        piece.""",
    ),
    mistake(
        "the text is cut at spaces",
        swap(PIECES, 'for piece in text.split(" "):'),
        swap(COLLECT, 'ids += bpe_merge(piece.encode("utf-8"), self.ranks)'),
        caught_by="test_encode_equals_tiktoken",
        explanation="""The pieces are what stands between spaces, and the spaces have no ids. What a piece is says the
        pattern, and every character of the text belongs to one.""",
    ),
    mistake(
        "upper case is lost on the way to bytes",
        swap(PIECES, "for match in self.pattern.finditer(text.lower()):"),
        caught_by="test_encode_equals_tiktoken",
        explanation="""The text is made lower case before it is cut into pieces. Capitals have bytes of their own, and
        do not come back.""",
    ),
    mistake(
        "white space is dropped",
        swap(PIECES, r'for match in regex.finditer(r"\S+", text):'),
        caught_by="test_any_unicode_text_comes_back",
        explanation="""The text is cut at its spaces, and they are gone. The pattern keeps every character, a space
        mostly at the front of a piece.""",
    ),
    mistake(
        "the pieces are stripped",
        swap(COLLECT, COLLECT.replace("match.group()", "match.group().strip()")),
        caught_by="test_any_unicode_text_comes_back",
        explanation="""Each piece loses the space in front of it. That space belongs to the token: without it the words
        run together.""",
    ),
    mistake(
        "letters outside ASCII are lost",
        swap(COLLECT, COLLECT.replace('"utf-8"', '"ascii", "ignore"')),
        caught_by="test_encode_equals_tiktoken",
        explanation="""A character that ASCII does not know is left out when text becomes bytes. UTF-8 has bytes for all
        of them.""",
    ),
    mistake(
        "code points instead of UTF-8",
        swap(COLLECT, COLLECT.replace('"utf-8"', '"latin-1", "replace"')),
        caught_by="test_encode_equals_tiktoken",
        explanation="""A character becomes one byte, by its number, and those beyond 255 are lost. In UTF-8 everything
        outside ASCII takes two to four bytes.""",
    ),
    mistake(
        "a list of lists",
        swap(COLLECT, COLLECT.replace("ids += bpe_merge(", "ids.append(bpe_merge(") + ")"),
        caught_by="test_encode_equals_tiktoken",
        explanation="""Each piece adds a list to the list. The ids of all pieces stand in one row.""",
    ),
    mistake(
        "only the last piece is returned",
        swap(COLLECT, COLLECT.replace("ids +=", "ids =")),
        caught_by="test_encode_equals_tiktoken",
        explanation="""Each piece replaces the ids of the one before. They have to be collected.""",
    ),
    mistake(
        "ids are places in the table",
        swap(TABLE, "self.token_of = list(ranks)"),
        caught_by="test_decode_gives_the_text_that_was_encoded",
        explanation="""A token is looked up by its place in the dictionary. Its id is the number that stands beside it,
        and the dictionary may be in any order.""",
    ),
    mistake(
        "decodes token by token",
        swap(
            TEXT,
            'return "".join(self.token_of[i].decode("utf-8", errors="replace") for i in ids)',
        ),
        caught_by="test_decode_gives_the_text_that_was_encoded",
        explanation="""Each token becomes text by itself. A token may hold half a character, which is text only together
        with its other half.""",
    ),
    mistake(
        "decode returns bytes",
        swap(TEXT, "return joined"),
        caught_by="test_decode_gives_the_text_that_was_encoded",
        explanation="""The tokens are put together and stay bytes. Text is what `encode` was given, so text has to come
        back.""",
    ),
    mistake(
        "white space at the ends is lost (decode)",
        swap(TEXT, TEXT + ".strip()"),
        caught_by="test_decode_gives_the_text_that_was_encoded",
        explanation="""White space at the beginning and the end of the text is cut off at last. It was encoded, and
        belongs to the text like any letter.""",
    ),
    mistake(
        "bytes are read as latin-1",
        swap(TEXT, 'return joined.decode("latin-1")'),
        caught_by="test_decode_gives_the_text_that_was_encoded",
        explanation="""Every byte becomes a character of its own. The bytes are UTF-8, where one character may have
        several.""",
    ),
    mistake(
        "broken bytes are left out",
        swap(TEXT, TEXT.replace("replace", "ignore")),
        caught_by="test_broken_bytes_become_the_replacement_character",
        explanation="""Bytes that are no valid UTF-8 vanish without a trace. Where a character was cut in two, the text
        has to show that something stood there.""",
    ),
    mistake(
        "broken bytes are an error",
        swap(TEXT, 'return joined.decode("utf-8")'),
        caught_by="test_broken_bytes_become_the_replacement_character",
        explanation="""Bytes that are no valid UTF-8 stop the decoding with an error. A model may stop in the middle of
        a character, and its text has to be readable all the same.""",
    ),
    mistake(
        "letters and digits only",
        swap(CHARACTERS, "characters = sorted(character for character in set(text) if character.isalnum())"),
        caught_by="test_ids_are_exactly_0_to_vocab_size",
        explanation="""Only letters and digits get an id. Spaces, points and signs are characters of the text as well.""",
    ),
    mistake(
        "characters of ASCII only",
        swap(CHARACTERS, "characters = sorted(character for character in set(text) if character.isascii())"),
        caught_by="test_ids_are_exactly_0_to_vocab_size",
        explanation="""Only characters of ASCII get an id. Every character of the text has one, é and € too.""",
    ),
    mistake(
        "one character of padding in front",
        swap(CHARACTERS, 'characters = ["\\0", *sorted(set(text))]'),
        caught_by="test_ids_are_exactly_0_to_vocab_size",
        explanation="""A character for padding stands at id 0, which nobody asked for. The vocabulary is the characters of the
        text.""",
    ),
    mistake(
        "one character for the end of the text",
        swap(CHARACTERS, 'characters = [*sorted(set(text)), "\\0"]'),
        caught_by="test_ids_are_exactly_0_to_vocab_size",
        explanation="""A character for the end of the text is added, which nobody asked for. The vocabulary is the characters of
        the text.""",
    ),
    mistake(
        "encode gives the ids backwards",
        swap(ENCODE, "return [self.stoi[character] for character in reversed(text)]"),
        caught_by="test_encode_gives_the_id_of_every_character",
        explanation="""The ids come in reverse order. They stand in the order of the text.""",
    ),
    mistake(
        "encode sorts",
        swap(ENCODE, "return sorted(self.stoi[character] for character in text)"),
        caught_by="test_encode_gives_the_id_of_every_character",
        explanation="""The ids are sorted. They stand in the order of the text.""",
    ),
    mistake(
        "encode leaves out the last character",
        swap(ENCODE, "return [self.stoi[character] for character in text[:-1]]"),
        caught_by="test_encode_gives_the_id_of_every_character",
        explanation="""The last character is not encoded. Every one of them is.""",
    ),
    mistake(
        "encode leaves out the first character",
        swap(ENCODE, "return [self.stoi[character] for character in text[1:]]"),
        caught_by="test_encode_gives_the_id_of_every_character",
        explanation="""The first character is not encoded. Every one of them is.""",
    ),
    mistake(
        "encode joins equal neighbours",
        swap(
            ENCODE,
            "return [self.stoi[character] for i, character in enumerate(text) if text[i : i + 1] != text[i - 1 : i] or i == 0]",
        ),
        caught_by="test_encode_gives_the_id_of_every_character",
        explanation="""Of equal neighbours only the first is encoded. Every character is, however often it comes.""",
    ),
    mistake(
        "encode returns what it will give, not a list",
        swap(ENCODE, "return (self.stoi[character] for character in text)"),
        caught_by="test_encode_gives_the_id_of_every_character",
        explanation="""What comes back is a generator, which gives its ids once and has no length. A list was promised.""",
    ),
    mistake(
        "decode gives the text backwards",
        swap(DECODE, 'return "".join(self.itos[i] for i in reversed(ids))'),
        caught_by="test_decode_gives_the_text_of_the_ids",
        explanation="""The characters come in reverse order. They stand in the order of the ids.""",
    ),
    mistake(
        "decode puts line ends between",
        swap(DECODE, 'return "\\n".join(self.itos[i] for i in ids)'),
        caught_by="test_decode_gives_the_text_of_the_ids",
        explanation="""Between the characters stand line ends that nobody encoded. They follow each other directly.""",
    ),
    mistake(
        "decode drops repeated characters",
        swap(DECODE, 'return "".join(dict.fromkeys(self.itos[i] for i in ids))'),
        caught_by="test_decode_gives_the_text_of_the_ids",
        explanation="""Each character is given once only. It comes as often as its id does.""",
    ),
    mistake(
        "decode leaves out the last id",
        swap(DECODE, 'return "".join(self.itos[i] for i in ids[:-1])'),
        caught_by="test_decode_gives_the_text_of_the_ids",
        explanation="""The last id is not decoded. Every one of them is.""",
    ),
    mistake(
        "encode ends at a strange character",
        swap(REFUSE, "return [self.stoi[character] for character in text[:place]]"),
        caught_by="test_a_strange_character_is_refused_with_its_place",
        explanation="""Encoding ends at the first character outside the vocabulary, and what came before is returned. Text that is
        lost without a word is never noticed.""",
    ),
    mistake(
        "the place is counted from the end",
        swap(
            REFUSE, 'raise ValueError(f"character {character!r} at place {place - len(text)} is not in the vocabulary")'
        ),
        caught_by="test_a_strange_character_is_refused_with_its_place",
        explanation="""The place is told as counted from the end. It is counted from the beginning, from 0 on.""",
    ),
    mistake(
        "the number of the character, not the character",
        swap(REFUSE, 'raise ValueError(f"character {ord(character)} at place {place} is not in the vocabulary")'),
        caught_by="test_a_strange_character_is_refused_with_its_place",
        explanation="""The message tells the number of the character in Unicode. What somebody can look for in a text is the
        character itself.""",
    ),
    mistake(
        "a strange character is a TypeError",
        swap(REFUSE, 'raise TypeError(f"character {character!r} at place {place} is not in the vocabulary")'),
        caught_by="test_a_strange_character_is_refused_with_its_place",
        explanation="""A character outside the vocabulary is reported as a TypeError. Its type is right and its value is not.""",
    ),
    mistake(
        "an assertion for strange characters",
        swap(REFUSE, 'raise AssertionError(f"character {character!r} at place {place} is not in the vocabulary")'),
        caught_by="test_a_strange_character_is_refused_with_its_place",
        explanation="""A strange character fails an assertion. Assertions are for what cannot happen, and `python -O` leaves them
        out.""",
    ),
    mistake(
        "strange characters become the last id",
        swap(REFUSE, "return [self.stoi.get(character, self.vocab_size - 1) for character in text]"),
        caught_by="test_a_strange_character_is_refused_with_its_place",
        explanation="""Characters outside the vocabulary get the last id. Decoded they would be another character, and nobody is
        told.""",
    ),
    mistake(
        "strange characters become -1",
        swap(REFUSE, "return [self.stoi.get(character, -1) for character in text]"),
        caught_by="test_a_strange_character_is_refused_with_its_place",
        explanation="""Characters outside the vocabulary get the id -1, as `str.find` has it. No table has such a row; Python takes
        the last one for it.""",
    ),
    mistake(
        "merges two bytes at most",
        swap(
            PAIR_RANKS,
            PAIR_RANKS
            + "\n        pair_ranks = [math.inf if len(left + right) > 2 else rank for rank, (left, right) in zip(pair_ranks, pairwise(parts))]",
        ),
        caught_by="test_every_token_of_the_table_is_reached",
        explanation="""Tokens of two bytes are merged no further. Parts that were merged are parts like others.""",
    ),
    mistake(
        "a byte is always one of the two",
        swap(
            PAIR_RANKS,
            PAIR_RANKS
            + "\n        pair_ranks = [math.inf if min(len(left), len(right)) > 1 else rank for rank, (left, right) in zip(pair_ranks, pairwise(parts))]",
        ),
        caught_by="test_every_token_of_the_table_is_reached",
        explanation="""Two parts of several bytes each are never merged. All neighbours that make a token together are.""",
    ),
    mistake(
        "the first pair is not looked at",
        swap(PAIR_RANKS, PAIR_RANKS + "\n        pair_ranks[0] = math.inf"),
        caught_by="test_every_token_of_the_table_is_reached",
        explanation="""The first two parts never merge with each other. Every two neighbours may.""",
    ),
    mistake(
        "the last pair is not looked at",
        swap(PAIR_RANKS, PAIR_RANKS + "\n        pair_ranks[-1] = math.inf"),
        caught_by="test_every_token_of_the_table_is_reached",
        explanation="""The last two parts never merge with each other. Every two neighbours may.""",
    ),
    mistake(
        "the two parts change places",
        swap(MERGE, "parts[i : i + 2] = [parts[i + 1] + parts[i]]"),
        caught_by="test_every_token_of_the_table_is_reached",
        explanation="""The right part is put before the left one. Together they are the bytes as they stand in the piece.""",
    ),
    mistake(
        "the left neighbour stays",
        swap(MERGE, "parts[i + 1 : i + 2] = [parts[i] + parts[i + 1]]"),
        caught_by="test_every_token_of_the_table_is_reached",
        explanation="""The joined part takes the place of the right one, and the left one stays beside it. Its bytes then stand
        there twice.""",
    ),
    mistake(
        "the ids of a piece come backwards",
        swap(IDS, "return [ranks[part] for part in reversed(parts)]"),
        caught_by="test_neighbours_merge_by_rank",
        explanation="""The ids come in reverse order. They stand in the order of the piece.""",
    ),
    mistake(
        "the first part is lost",
        swap(IDS, "return [ranks[part] for part in parts[1:]]"),
        caught_by="test_a_single_byte_has_the_id_that_the_table_gives_it",
        explanation="""The first part gets no id. Every part does.""",
    ),
    mistake(
        "the last part is lost",
        swap(IDS, "return [ranks[part] for part in parts[:-1]] or [ranks[part] for part in parts]"),
        caught_by="test_neighbours_merge_by_rank",
        explanation="""The last part gets no id. Every part does.""",
    ),
    mistake(
        "each token is given once",
        swap(IDS, "return list(dict.fromkeys(ranks[part] for part in parts))"),
        caught_by="test_neighbours_merge_by_rank",
        explanation="""A token that comes again gets no second id. It comes as often as it stands in the piece.""",
    ),
    mistake(
        "the ids are sorted",
        swap(IDS, "return sorted(ranks[part] for part in parts)"),
        caught_by="test_neighbours_merge_by_rank",
        explanation="""The ids are sorted. They stand in the order of the piece.""",
    ),
    mistake(
        "a tuple of ids",
        swap(IDS, "return tuple(ranks[part] for part in parts)"),
        caught_by="test_a_single_byte_has_the_id_that_the_table_gives_it",
        explanation="""The ids come as a tuple. A list was promised, to which others can be added.""",
    ),
    mistake(
        "the pattern does not tell line ends",
        swap(PATTERN, "self.pattern = regex.compile(pattern, regex.DOTALL | regex.MULTILINE | regex.VERBOSE)"),
        caught_by="test_encode_equals_tiktoken",
        explanation="""The pattern is read in verbose mode, where its spaces say nothing. A space of a pattern is a space of the
        text.""",
    ),
    mistake(
        "pieces from the end of the text",
        swap(PATTERN, "self.pattern = regex.compile(pattern, regex.REVERSE)"),
        caught_by="test_encode_equals_tiktoken",
        explanation="""The pieces are looked for from the end of the text. They are found from its beginning.""",
    ),
    mistake(
        "a piece need not be filled",
        swap(PIECES, "for match in self.pattern.finditer(text, overlapped=True):"),
        caught_by="test_encode_equals_tiktoken",
        explanation="""Pieces may overlap, so the same letters are encoded several times. One begins where the last one ended.""",
    ),
    mistake(
        "the first piece is lost",
        swap(PIECES, "for match in list(self.pattern.finditer(text))[1:]:"),
        caught_by="test_encode_equals_tiktoken",
        explanation="""The first piece is not encoded. All of them are.""",
    ),
    mistake(
        "the last piece is lost",
        swap(PIECES, "for match in list(self.pattern.finditer(text))[:-1]:"),
        caught_by="test_encode_equals_tiktoken",
        explanation="""The last piece is not encoded. All of them are.""",
    ),
    mistake(
        "each piece is encoded once",
        swap(
            PIECES,
            "for match in {match.group(): match for match in reversed(list(self.pattern.finditer(text)))}.values():",
        ),
        caught_by="test_encode_equals_tiktoken",
        explanation="""A piece that comes again is not encoded again, and the order is lost. The text is encoded piece after piece.""",
    ),
    mistake(
        "the pieces in reverse order",
        swap(PIECES, "for match in reversed(list(self.pattern.finditer(text))):"),
        caught_by="test_encode_equals_tiktoken",
        explanation="""The last piece is encoded first. The text is encoded from its beginning.""",
    ),
    mistake(
        "a space in front of every text",
        swap(PIECES, 'for match in self.pattern.finditer(" " + text):'),
        caught_by="test_encode_equals_tiktoken",
        explanation="""A space is put before the text, as some tokenizers do. What is encoded is the text as it is.""",
    ),
    mistake(
        "UTF-16 instead of UTF-8",
        swap(COLLECT, 'ids += bpe_merge(match.group().encode("utf-16-le"), self.ranks)'),
        caught_by="test_encode_equals_tiktoken",
        explanation="""The text becomes bytes by UTF-16, two or four a character. Byte pairs are trained on UTF-8.""",
    ),
    mistake(
        "capitals on the way to bytes",
        swap(COLLECT, 'ids += bpe_merge(match.group().upper().encode("utf-8"), self.ranks)'),
        caught_by="test_encode_equals_tiktoken",
        explanation="""The pieces are put in capitals. A text with small letters does not come back.""",
    ),
    mistake(
        "white space is one space",
        swap(COLLECT, 'ids += bpe_merge(regex.sub(r"\\s+", " ", match.group()).encode("utf-8"), self.ranks)'),
        caught_by="test_encode_equals_tiktoken",
        explanation="""Each stretch of white space becomes a single space. Line ends and indents are text like the rest.""",
    ),
    mistake(
        "decode gives the tokens backwards",
        swap(
            'joined = b"".join(self.token_of[i] for i in ids)  # one character may span several tokens',
            'joined = b"".join(self.token_of[i] for i in reversed(ids))  # one character may span several tokens',
        ),
        caught_by="test_decode_gives_the_text_that_was_encoded",
        explanation="""The tokens are put together in reverse order. They stand in the order of the ids.""",
    ),
    mistake(
        "decode puts spaces between the tokens",
        swap(
            'joined = b"".join(self.token_of[i] for i in ids)  # one character may span several tokens',
            'joined = b" ".join(self.token_of[i] for i in ids)  # one character may span several tokens',
        ),
        caught_by="test_decode_gives_the_text_that_was_encoded",
        explanation="""Between the tokens stand spaces that nobody encoded. Where there is a space it is part of a token.""",
    ),
    mistake(
        "decode stops at the first broken byte",
        swap(TEXT, TEXT + '.split("\\ufffd")[0]'),
        caught_by="test_broken_bytes_become_the_replacement_character",
        explanation="""Text ends where bytes are no valid UTF-8. They become the replacement character, and what follows stays.""",
    ),
    mistake(
        "broken bytes become question marks",
        swap(TEXT, TEXT + '.replace("\\ufffd", "?")'),
        caught_by="test_broken_bytes_become_the_replacement_character",
        explanation="""Bytes that are no valid UTF-8 become question marks. The replacement character says that something was lost;
        a question mark may have been meant.""",
    ),
    mistake(
        "broken bytes are written as numbers",
        swap(TEXT, 'return joined.decode("utf-8", errors="backslashreplace")'),
        caught_by="test_broken_bytes_become_the_replacement_character",
        explanation="""Bytes that are no valid UTF-8 are written out as numbers with a backslash. They become the replacement
        character.""",
    ),
    mistake(
        "zero bytes for the parts",
        swap("parts = [bytes([byte]) for byte in piece]", "parts = [bytes(byte) for byte in piece]"),
        caught_by="test_a_single_byte_has_the_id_that_the_table_gives_it",
        explanation="""`bytes(65)` is a row of 65 zero bytes; the byte with the value 65 is `bytes([65])`. The table does not know rows of
        zeros.""",
    ),
    mistake(
        "the bytes themselves are returned",
        swap("    return [ranks[part] for part in parts]", "    return list(piece)"),
        caught_by="test_a_single_byte_has_the_id_that_the_table_gives_it",
        explanation="""`list(piece)` gives the values of the bytes, and nothing is merged. An id is what the table gives for a token.""",
    ),
    mistake(
        "the parts are numbers",
        swap("parts = [bytes([byte]) for byte in piece]", "parts = list(piece)"),
        caught_by="test_a_single_byte_has_the_id_that_the_table_gives_it",
        explanation="""`list(piece)` gives the values of the bytes, which are numbers, and the table holds bytes. `bytes([value])`
        makes a single byte of a value.""",
    ),
    mistake(
        "UTF-16, pieces found first",
        swap('match.group().encode("utf-8")', 'match.group().encode("utf-16")'),
        caught_by="test_encode_equals_tiktoken",
        explanation="""The pieces are made bytes by UTF-16, with two bytes a character and a mark in front. Ranks are made for
        UTF-8.""",
    ),
    mistake(
        "id 0 is left out in decode",
        swap(DECODE, 'return "".join(self.itos[i] for i in ids if i)'),
        caught_by="test_decode_gives_the_text_of_the_ids",
        explanation="""The id 0 counts as nothing and is skipped. It is an id like others, that of the first character.""",
    ),
    mistake(
        "white space at the ends has no id",
        swap(CHARACTERS, "characters = sorted(set(text.strip()))"),
        caught_by="test_any_text_over_the_vocabulary_comes_back",
        explanation="""The text is stripped before its characters are collected. White space that stands at the ends only
        is then outside the vocabulary.""",
    ),
    mistake(
        "line ends are made alike in encode",
        swap(SEARCH, 'text = text.replace("\\r\\n", "\\n")\n        ' + SEARCH),
        caught_by="test_characters_come_back_unchanged",
        explanation="""The two characters `\\r\\n` become one. Both are characters of the text, and have to come back.""",
    ),
    mistake(
        "the text is normalised (CharTokenizer)",
        swap("import regex\n", "import unicodedata\n\nimport regex\n"),
        swap(SEARCH, 'text = unicodedata.normalize("NFC", text)\n        ' + SEARCH),
        caught_by="test_characters_come_back_unchanged",
        explanation="""Letters that can be written with one code point or with several are written in one way. The
        vocabulary knows the characters of the text as they stand there.""",
    ),
    mistake(
        "the last strange character is reported",
        swap(SEARCH, "for place, character in reversed(list(enumerate(text))):"),
        caught_by="test_a_strange_character_is_refused_with_its_place",
        explanation="""Where several characters are strange, the error tells of the last. The first is where a reader
        begins to look.""",
    ),
    mistake(
        "the smallest strange character is reported",
        swap(SEARCH, "for place, character in sorted(enumerate(text), key=lambda pair: pair[1]):"),
        caught_by="test_a_strange_character_is_refused_with_its_place",
        explanation="""Where several characters are strange, the error tells of the one that sorts first. The first is
        the one that stands first in the text.""",
    ),
    mistake(
        "the place is counted in bytes",
        swap(
            REFUSE,
            'raise ValueError(f"character {character!r} at place {len(text[:place].encode())} is not in the vocabulary")',
        ),
        caught_by="test_a_strange_character_is_refused_with_its_place",
        explanation="""The place is the number of bytes before the character. Characters outside ASCII have several, and
        `text[place]` is then another one.""",
    ),
    mistake(
        "the sum of two ranks decides",
        swap(
            PAIR_RANKS,
            "pair_ranks = [ranks[a] + ranks[b] if a + b in ranks else math.inf for a, b in pairwise(parts)]",
        ),
        caught_by="test_neighbours_merge_by_rank",
        explanation="""Neighbours merge in the order of their own ranks, added up. What decides is the rank of the token
        that the two make together.""",
    ),
    mistake(
        "the rank of the left part decides",
        swap(PAIR_RANKS, "pair_ranks = [ranks[a] if a + b in ranks else math.inf for a, b in pairwise(parts)]"),
        caught_by="test_neighbours_merge_by_rank",
        explanation="""Of neighbours that make a token, those whose left part has the lowest rank merge first. What decides
        is the rank of the token that the two make together.""",
    ),
    mistake(
        "the rank of the right part decides",
        swap(PAIR_RANKS, "pair_ranks = [ranks[b] if a + b in ranks else math.inf for a, b in pairwise(parts)]"),
        caught_by="test_neighbours_merge_by_rank",
        explanation="""Of neighbours that make a token, those whose right part has the lowest rank merge first. What
        decides is the rank of the token that the two make together.""",
    ),
    mistake(
        "characters that look alike become one",
        swap("import regex\n", "import unicodedata\n\nimport regex\n"),
        swap(PIECES, 'for match in self.pattern.finditer(unicodedata.normalize("NFKC", text)):'),
        caught_by="test_text_comes_back_unchanged",
        explanation="""The text is put into the form NFKC, where ﬁ becomes fi and ² becomes 2. What comes back is another
        text than the one that was encoded.""",
    ),
    mistake(
        "the pattern knows letters of ASCII only",
        swap(PATTERN, "self.pattern = regex.compile(pattern, regex.ASCII)"),
        caught_by="test_encode_equals_tiktoken",
        explanation="""With the flag ASCII, é is no letter to the pattern. A text in any script has letters.""",
    ),
    mistake(
        "broken bytes become escapes",
        swap(TEXT, TEXT.replace("replace", "backslashreplace")),
        caught_by="test_broken_bytes_become_the_replacement_character",
        explanation="""Bytes that are no valid UTF-8 come out as `\\xff`, in four characters each. The replacement
        character stands for them.""",
    ),
    mistake(
        "broken bytes become half characters",
        swap(TEXT, TEXT.replace("replace", "surrogateescape")),
        caught_by="test_broken_bytes_become_the_replacement_character",
        explanation="""Bytes that are no valid UTF-8 become surrogates, which cannot be printed or written to a file. The
        replacement character stands for them.""",
    ),
    mistake(
        "zeros at the end are lost (decode)",
        swap(TEXT, TEXT + '.rstrip("\\0")'),
        caught_by="test_text_comes_back_unchanged",
        explanation="""Characters with the number 0 are cut off at the end of the text. They are not seen, and belong to
        it all the same.""",
    ),
    mistake(
        "a text that is a token is not cut",
        swap(
            "        ids = []\n",
            '        if text.encode("utf-8") in self.ranks:\n            return [self.ranks[text.encode("utf-8")]]\n        ids = []\n',
        ),
        caught_by="test_a_text_that_is_a_token_is_cut_all_the_same",
        explanation="""A text that stands in the table as a whole comes out as this one token. Where the pattern cuts it into
        pieces, no token may cross the cut.""",
    ),
]
