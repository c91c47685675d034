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
        ([.opener, .auxiliary], "what's, who's, where's, how's, why's, when's"),
        (.helper, "do, does, did, can, could, will, would, should, don't, doesn't, didn't, can't"),
        (
            .subject,
            """
            you, i, we, he, she, it, they, the, this, that, these, those, there, my, your, his, her,
            our, their, a, an, pika, people, robots
            """
        ),
        (
            .asking,
            """
            do you, can you, are you, could you, will you, would you, can we, can i, could i,
            may i, do they, did you, have you, have you ever, how do you, how do i say,
            what are you, and you
            """
        ),
        (.tag, "right, isn't it, aren't you, don't you, huh"),
        (.pronoun, "it, that, this, they, he, she, those, these"),
        (
            .filler,
            """
            pika, hey, hi, hello, ok, okay, oh, ooh, wow, whoa, well, but, and, so, um, uh, hmm,
            then, yes, yeah, no, please, dear pika, hey pika, haha, hehe, cool, good, really, also,
            too, robot
            """
        ),
        (
            .idle,
            """
            what, huh, pardon, sorry, excuse me, really, oh really, are you sure, seriously,
            you know what, guess what, who cares, who knows, how should i know, how would i know,
            what's up with that, say again, say that again, can you say that again,
            can you say it again, can you repeat, can you repeat that, could you repeat that,
            what did you say, come again, so what, why not, who's there, what the heck,
            are you kidding me, are you kidding
            """
        ),
        (.reporting, "asked, asks, said, says, told me, ask"),
        (
            .knowing,
            """
            know, wonder, remember, forgot, understand, don't know, i don't know, i know, guess,
            i forgot
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
        (.firstPerson, "i, we, i've, we've"),
        ([.firstPerson, .being], "i'm, i am, we are"),
        (.possessive, "my, our, all my, all of my, both my"),
        (.anaphor, "he, she, it, they, his, her, its, their, it's, he's, she's, they're"),
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
            this morning, this weekend, on sunday, on saturday, one day, once, every day, at home,
            at school, used to, then, very, so
            """
        ),
        (
            .fact,
            """
            like, love, hate, enjoy, prefer, have, have got, got, own, live, play, go, can, take,
            study, learn, speak, collect, sleep with, walk, ride, know how to, call, share, eat,
            read, swim, wear, help, don't like, do not like, don't have, hear with, draw, practice
            """
        ),
        (
            .event,
            """
            went, saw, built, won, made, drew, rode, ate, bought, played, visited, broke, lost,
            found, had, watched, fell, slept, got a, got an, got new, caught, met, read a, swam,
            flew, drove, gave, cooked, baked, learned, learnt, hurt, finished, started, painted,
            wrote, dreamed, died, moved, kicked, climbed, helped, cleaned, took
            """
        ),
        (.being, "am, is, are, was, were"),
        (
            .identity,
            """
            from, called, named, a, an, the, an only, in grade, in class, in first grade,
            in second grade, born, afraid of, scared of, allergic, allergic to, good at, bad at,
            years old, not afraid of, in kindergarten
            """
        ),
        (
            .number,
            """
            one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve
            """
        ),
        (
            .wish,
            """
            want to be, want to become, wanna be, want to have, want to write, dream of, wish i had,
            will be, want a
            """
        ),
        (
            .family,
            """
            mom, mommy, mum, mummy, mother, dad, daddy, father, sister, brother, grandma, grandpa,
            grandmother, grandfather, uncle, aunt, cousin
            """
        ),
        (.pet, "dog, cat, puppy, kitten, baby, friend, pet, hamster, fish, rabbit, bird, turtle"),
        (
            .hollow,
            """
            it, that, this, you, pika, to, so much, too, idea, no idea, very much, a lot, fun, them,
            him, her, him so much, please, again, now, robot, done, this game, the game, this song,
            the song, this story, the story, this one, question, a question, mad, turn, nobody,
            nobody to play with, nothing, no one, no friends, anybody, anyone
            """
        ),
        (.conjunction, "and, but, because, so, when, and then, or"),
        (
            .passing,
            """
            i don't know, i know, don't know, feel, i feel, have to, i see, i said, i think,
            i guess, i can do it, i can't, going to, pretend, let's pretend, i wish, i forgot,
            i hope, i mean, i can see, i got it, i had fun, i go first, we done, i hate numbers,
            my answer, my turn, my god, my goodness
            """
        ),
    ]

    static let robot: [(Tags, String)] = [
        (
            .drill,
            """
            repeat, repeat after me, say, say after me, say it, try again, once more, after me,
            can you say, please say, try to say, now say, read, spell
            """
        ),
        (
            .personal,
            """
            your name, old are you, favourite, favorite, do you live, are you from, your sister,
            your brother, your mom, your mother, your dad, your father, your family, your pet,
            your dog, your cat, your school, your birthday, your hobby, your teacher, your friend,
            your best friend, what grade, which grade, what class, what do you like,
            what do you like to do, do you like to play, do you do, did you do, did you eat,
            did you see, did you go, did you play, did you get, did you visit, want to be,
            do you want to be, want to become, when you grow up, do you have, what flavour,
            what flavor, do you want for, what sport, what sports, do you go to school,
            which subject, do you eat, is its name, is his name, is her name
            """
        ),
        (
            .passingQuestion,
            """
            how are you, do you want to, would you like, want to talk, shall we, do you want,
            how was, are you ready, how do you feel, what are you doing, do you know, do you think,
            did you learn, how did you sleep, did you sleep, do you say, can you, do you see,
            do you hear
            """
        ),
        (.child, "you, your, yours, yourself"),
    ]

    private static let answers: [(Tags, String)] = [
        (
            .minimal,
            """
            ok, okay, yes, no, yeah, nah, nope, yep, fine, stuff, nothing, good, whatever, mhm, hm,
            maybe, i don't know, dunno, not really, no thanks, um, uh, idk, sure, k, bad, so so,
            boring, bored, i guess
            """
        )
    ]

    static let feelings: [(Tags, String)] = [
        (.negator, "not, don't, doesn't, didn't, never, no, can't, isn't, wasn't, aren't, nothing"),
        (.adverb, "really, so, very, that, a, the, too, be, feel, much, is"),
        (
            .angry,
            """
            stupid, shut up, go away, leave me alone, so mad, i'm mad, mad at, angry, i'm angry,
            annoying, so annoying, not fair, unfair, you're mean, you are mean, worst, cheated,
            you cheated, cheater, i hate this, i hate you, hate this game, i hate this game, dumb,
            idiot, stop it, never listen, not playing with you, i hate numbers, furious, hate you,
            bad robot, you suck, hate it, so mean
            """
        ),
        (
            .sad,
            """
            sad, so sad, very sad, cry, cried, crying, lonely, i miss, miss my, miss you, miss him,
            miss her, miss them, died, nobody likes me, nobody to play with, hurts, heartbroken,
            unhappy, not happy, moved away, scared, i was scared, upset, bad dream, no friends, 😢,
            😭, ☹, 😞, passed away
            """
        ),
        (
            .bored,
            """
            boring, bored, i'm bored, so boring, don't want to, i don't want to, want to stop,
            i want to stop, no thanks, whatever, are we done, not really, tired of this,
            can we stop, not fun, not interesting, don't want to learn, i'm tired, when is it over,
            too long, something else, don't like this, don't like this game, don't care,
            i don't care
            """
        ),
        (
            .wonder,
            """
            wow, whoa, woah, cool, so cool, amazing, that's amazing, awesome, incredible,
            tell me more, interesting, so interesting, fascinating, i want to know, more please,
            so huge, that is so cool, that's so cool, 😮, 😲, 🤩, that is amazing, i didn't know that,
            super cool
            """
        ),
        (
            .joy,
            """
            haha, hihi, hehe, fun, happy, love, best, yummy, funny, great, nice, win, lol,
            thank you, yeah, like it, ❤
            """
        ),
        (
            .delight,
            """
            yay, hooray, hurray, woohoo, yippee, so happy, so much fun, so fun, this is fun,
            that was fun, so funny, i'm happy, best day ever, the best day ever, i won, the best,
            you are the best, i love it, i love you, 😀, 😁, 😂, 😃, 😄, 😊, 🥰, 😍, 🎉, super fun,
            very happy, so excited, i'm so excited
            """
        ),
    ]
}
