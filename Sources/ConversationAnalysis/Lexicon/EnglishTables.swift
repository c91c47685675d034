/// What the rules know of English. Apostrophes do not count: "dont" is "don't".
enum EnglishTables {
    static let grammar: [(Tags, String)] = questions + memories + answers

    /// Enough of its commonest words to tell it from the other.
    static let language: [(Tags, String)] = [
        (
            .english,
            """
            i, the, is, are, my, you, your, it, what, do, does, and, of, in, on, at, for, we, he,
            she, they, this, that, was, have, like, with, not, yes, no, can, why, how, who, where,
            when, a
            """
        )
    ]

    private static let questions: [(Tags, String)] = [
        (
            .opener,
            """
            why, what, how, who, where, when, which, whose, how come, what about, how about, how to,
            what if
            """
        ),
        (
            .auxiliary,
            """
            is, are, was, were, do, does, did, can, could, will, would, should, may, am, has, isn't,
            aren't, don't, doesn't, didn't, can't, won't, wasn't, shall
            """
        ),
        (
            [.opener, .auxiliary],
            """
            what's, who's, where's, how's, why's, when's, how'd, where'd, why'd, what'd, what're,
            who'll
            """
        ),
        (.helper, "do, does, did, can, could, will, would, should, don't, doesn't, didn't, can't"),
        (
            .subject,
            """
            you, i, we, he, she, it, they, the, this, that, these, those, there, my, your, his, her,
            our, their, a, an, pika, people, robots, anyone, anybody, someone, somebody, everyone,
            the robot,
            everybody, any, all, this game, the game, this song, the song, this story, the story,
            this one
            """
        ),
        (.reason, "why, how come, what about, how about, what if"),
        (.nominative, "i, you, we, he, she, it, they"),
        (.objective, "it, you"),
        (.plural, "are, were, aren't"),
        (
            .bareVerb,
            """
            be, have, go, get, come, look, see, use, do, try, stop, take, make, give, help, let, say
            """
        ),
        (
            .brief,
            """
            time, color, colour, colours, colors, many, much, kind, sort, else, next, about, old,
            long, far, happened, happens, one, ones, fast, heavy, strong, deep, high, tall, big,
            hot, cold
            """
        ),
        (
            .asking,
            """
            have you, have you ever, wanna hear, wanna see, then what, and then what, wanna know,
            need to know, want to know, i wonder why, i wonder if, i wonder what,
            i wonder how, i wonder who, i wonder where, i wonder when, tell me why, tell me what,
            tell me how, tell me where, tell me who, tell me what's, tell me who's, tell me where's,
            tell me how's, don't get why, don't get how, don't understand why, don't understand how,
            wanna know why
            """
        ),
        ([.asking, .brief], "and you"),
        (.tag, "right, isn't it, aren't you, don't you, huh"),
        (
            [.subject, .hollow],
            """
            the red one, the blue one, the green one, the yellow one, the pink one, the first one,
            the second one, the big one, the small one, that one, the last one, the other one
            """
        ),
        (.able, "can, could, will, would"),
        (.or, "or"),
        (.addressee, "you, your, yours"),
        (.robot, "pika"),
        (.pronoun, "it, that, this, they, he, she, those, these"),
        (
            .filler,
            """
            pika, hey, hi, hello, ok, okay, oh, ooh, wow, whoa, well, but, and, so, um, uh, hmm,
            then, yes, yeah, no, please, yay, yep, mhm, ah, aww, phew, wait, hang on, hold on, look,
            listen, er, erm, uhm, alright, guess what, though, tho, anyway, dear pika, hey pika,
            haha, hehe, cool, good, really, also, too, robot
            """
        ),
        (
            .idle,
            """
            me, what, huh, pardon, sorry, excuse me, really, oh really, are you sure, seriously,
            you know what, guess what, who cares, who knows, how should i know, how would i know,
            say again, say that again, can you say that again, can you say it again, can you repeat,
            can you repeat that, could you repeat that, what did you say, come again, why not,
            who's there, what the heck, are you kidding me, are you kidding, how about no
            """
        ),
        (.reporting, "asked, asks, said, says, told me, ask"),
        (.event, "asked, said, told me"),
        (
            .knowing,
            """
            know, wonder, remember, forgot, understand, don't know, i don't know, guess, i forgot
            """
        ),
        (
            .exclaiming,
            """
            what a, what an, how nice, how i, what i, how lovely, how cute, how cool, how funny,
            do it, do that, do this, do not, do the, do my, do your, do a
            """
        ),
    ]

    private static let memories: [(Tags, String)] = [
        (.adverb, "now, when i grow up, when i'm big, when i'm older, someday"),
        (.firstPerson, "i, we, i've, we've"),
        ([.firstPerson, .being], "i'm, i am, we are, we're"),
        (
            .body,
            """
            eyes, eye, throat, tummy, head, brain, leg, legs, nose, stomach, belly, foot, feet, arm,
            arms, hand, hands, ear, ears, tooth, teeth, back, knee, mouth, voice, fingers, finger,
            throats, tummys, heads, brains, noses
            """
        ),
        (.possessive, "my, our, all my, all of my, both my"),
        (.anaphor, "he, she, it, they, his, her, its, their, he's, she's"),
        ([.anaphor, .objective, .being, .pronoun, .subject], "it's"),
        (.being, "he's, she's, am, is, are, was, were"),
        (
            .negator,
            """
            not, don't, doesn't, didn't, never, no, can't, cannot, isn't, wasn't, won't, do not,
            does not, did not, aren't, nobody, ain't
            """
        ),
        (
            .adverb,
            """
            really, also, always, just, already, still, often, sometimes, usually, only, even,
            almost, today, yesterday, tomorrow, last week, last year, last month, last night,
            last summer, last winter, next week, next year, next month, this summer, in summer,
            this afternoon, tonight, right now, in the morning, at night, after school, then,
            this morning, this weekend, saturday, sunday, on sunday, on saturday, one day, once,
            every day, at home, at school, used to, very, so
            """
        ),
        (
            .fact,
            """
            like, love, hate, enjoy, prefer, have, have got, own, live, play, go, can, take, sleep,
            drink, watch, feed, wake up, cook, bake, paint, visit, grow, write, climb, build, do,
            has, lives, likes, loves, works, goes, plays, sings, dance, sing, practise, study,
            learn, speak, collect, sleep with, walk, ride, know how to, call, share, eat, read,
            swim, wear, help, don't like, do not like, don't have, hear with, draw, practice
            """
        ),
        (
            .event,
            """
            went, saw, built, won, made, drew, rode, ate, bought, played, visited, broke, lost,
            found, had, watched, fell, slept, got a, got an, got new, caught, met, read a, swam,
            flew, drove, gave, cooked, baked, learned, learnt, hurt, finished, started, painted,
            wrote, dreamed, died, moved, kicked, climbed, helped, cleaned, took, fed, did, hid,
            drank, ran, sang, threw, came, brought, stood, sat, told, taught, bit, hit, cut, woke,
            wore, grew, stole, sold, chose, dug, spilt, dreamt, forgot, left, put, let, kept, felt,
            spent, swung, stuck, sent, shot, shook, rang, thought, knew, heard, said, beat, blew,
            burnt, crept, been, seen, stung, bitten, eaten, got
            """
        ),
        (.past, "was, were, had"),
        (
            .past,
            "yesterday, last week, last year, last month, last night, last summer, last winter"
        ),
        (
            .identity,
            """
            from, called, named, a, an, the oldest, the youngest, the only, the tallest, an only,
            in grade, in class, in first grade, in second grade, born, afraid of, scared of,
            allergic, allergic to, good at, bad at, in year, left handed, in reception, in nursery,
            in third grade, in fourth grade, in preschool, in the first grade, in the second grade,
            in my, years old, not afraid of, in kindergarten
            """
        ),
        (.number, "one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve"),
        (
            .wish,
            """
            want to be, want to become, wanna be, want to have, want to write, dream of, wish i had,
            will be, want a, wanna have, one day, someday, when i grow up, when i'm big,
            when i'm older, tomorrow, next week, next month, next year, in the summer, this summer,
            at christmas, on saturday, on sunday
            """
        ),
        (.bareVerb, "want, want to, wanna"),
        (
            .family,
            """
            mom, mommy, mum, mummy, mother, dad, daddy, father, sister, brother, grandma, grandpa,
            grandmother, grandfather, uncle, aunt, cousin, nana, nan, nanny, granny, gran, grandad,
            granddad, papa, mama, auntie, aunty, stepdad, stepmom, moms, mommys, mums, mummys, dads,
            daddys, mum's, mom's, dad's, sisters, brothers, grandmas, grandpas, nanas, grannys
            """
        ),
        (.pet, "dog, cat, puppy, kitten, baby, friend, pet, hamster, fish, rabbit, bird, turtle"),
        (
            .hollow,
            """
            it, that, this, you, pika, to, so much, too, idea, no idea, very much, a lot, fun, them,
            him, her, him so much, please, again, now, robot, done, this game, the game, this song,
            the song, this story, the story, this one, question, a question, an idea, mad, turn,
            nobody, nobody to play with, any more, anymore, any, nothing, no one, no friends,
            anybody, anyone
            """
        ),
        (.conjunction, "and, but, because, so, when, and then, or, cause, cuz, cos, while"),
        (
            .passing,
            """
            i don't know, don't know, if, i could, had to, please, i feel, we feel, have to, i see,
            i said, i think, i guess, i can do it, i can't, pretend, let's pretend, i wish,
            i forgot, i hope, i mean, i can see, i got it, i had fun, i go first, my answer,
            my turn, my god, my goodness, my gosh, oh my gosh, oh my god, need, don't want to,
            don't wanna, let me, let's, gotta, heard, hear, give up, choose, forgot, cry, cried,
            pick, tired, bored, scared, excited, hungry, thirsty, sleepy, bet, my bad, hurts,
            have a cold, have a headache, feeling, i like you, pretend i'm
            """
        ),
    ]

    private static let answers: [(Tags, String)] = [
        (
            .minimal,
            """
            ok, okay, yes, no, nobody, no one, yeah, nah, nope, yep, fine, stuff, nothing, good,
            whatever, mhm, hm, maybe, forgot, i don't know, dunno, not really, no thanks, um, uh,
            idk, sure, k, bad, so so, boring, bored, i guess, not yet, no not yet
            """
        )
    ]
}
