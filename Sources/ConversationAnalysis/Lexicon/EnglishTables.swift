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
            why, what, how, who, where, when, which, whose, how come, what about, how about,
            how to, what if
            """
        ),
        (
            .auxiliary,
            """
            is, are, was, were, do, does, did, can, could, will, would, should, may, am, has,
            isn't, aren't, don't, doesn't, didn't, can't, won't, wasn't, shall
            """
        ),
        ([.opener, .auxiliary], "what's, who's, where's, how's, why's, when's"),
        (.helper, "do, does, did, can, could, will, would, should, don't, doesn't, didn't, can't"),
        (
            .subject,
            """
            you, i, we, he, she, it, they, the, this, that, these, those, there, my, your, his,
            her, our, their, a, an, pika, people, robots, anyone, anybody, someone, somebody,
            everyone, everybody, any, all, this game, the game, this song, the song, this story,
            the story, this one
            """
        ),
        (.reason, "why, how come, what about, how about, what if"),
        (.nominative, "i, you, we, he, she, it, they"),
        (.objective, "it, you"),
        (.plural, "are, were, aren't"),
        (
            .bareVerb,
            """
            be, have, go, get, come, look, see, use, do, try, stop, take, make, give, help, let,
            say
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
            have you, have you ever, then what, and then what, wanna hear, want to hear a,
            wanna see, want to see my, wanna know, how do i say, and you, need to know,
            want to know, i wonder why, i wonder if, i wonder what, i wonder how, i wonder who,
            i wonder where, i wonder when, tell me why, tell me what, tell me how, tell me where,
            tell me who
            """
        ),
        (.tag, "right, isn't it, aren't you, don't you, huh"),
        (
            [.subject, .hollow],
            """
            the red one, the blue one, the green one, the yellow one, the pink one, the first one,
            the second one, the big one, the small one, that one, the last one, the other one
            """
        ),
        (.able, "can, could, will, would"),
        (.robot, "pika"),
        (.pronoun, "it, that, this, they, he, she, those, these"),
        (
            .filler,
            """
            pika, hey, hi, hello, ok, okay, oh, ooh, wow, whoa, well, but, and, so, um, uh, hmm,
            then, yes, yeah, no, please, yay, yep, mhm, ah, aww, phew, wait, hang on, hold on,
            look, listen, er, erm, uhm, alright, guess what, though, tho, anyway, dear pika,
            hey pika, haha, hehe, cool, good, really, also, too, robot
            """
        ),
        (
            .idle,
            """
            me, what, huh, pardon, sorry, excuse me, really, oh really, are you sure, seriously,
            you know what, guess what, who cares, who knows, how should i know, how would i know,
            what's up with that, say again, say that again, can you say that again,
            can you say it again, can you repeat, can you repeat that, could you repeat that,
            what did you say, come again, so what, why not, who's there, what the heck,
            are you kidding me, are you kidding
            """
        ),
        (.reporting, "asked, asks, said, says, told me, ask"),
        (.event, "asked, said, told me"),
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
        (.anaphor, "he, she, it, they, his, her, its, their, he's, she's"),
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
            want to be, want to become, wanna be, want to have, want to write, dream of,
            wish i had, will be, want a, wanna have, gonna be, one day, someday, when i grow up,
            when i'm big, when i'm older, tomorrow, next week, next month, next year,
            in the summer, this summer, at christmas, on saturday, on sunday
            """
        ),
        (.bareVerb, "want, want to, wanna"),
        (
            .family,
            """
            mom, mommy, mum, mummy, mother, dad, daddy, father, sister, brother, grandma, grandpa,
            grandmother, grandfather, uncle, aunt, cousin, nana, nan, nanny, granny, gran, grandad,
            granddad, papa, mama, auntie, aunty, stepdad, stepmom, moms, mommys, mums, mummys,
            dads, daddys, mum's, mom's, dad's, sisters, brothers, grandmas, grandpas, nanas,
            grannys
            """
        ),
        (.pet, "dog, cat, puppy, kitten, baby, friend, pet, hamster, fish, rabbit, bird, turtle"),
        (
            .hollow,
            """
            it, that, this, you, pika, to, so much, too, idea, no idea, very much, a lot, fun,
            them, him, her, him so much, please, again, now, robot, done, this game, the game,
            this song, the song, this story, the story, this one, question, a question, mad, turn,
            nobody, nobody to play with, any more, anymore, any, nothing, no one, no friends,
            anybody, anyone
            """
        ),
        (.conjunction, "and, but, because, so, when, and then, or, cause, cuz, cos, while"),
        (
            .passing,
            """
            i don't know, i know, don't know, feel, i feel, have to, i see, i said, i think,
            i guess, i can do it, i can't, pretend, let's pretend, i wish, i forgot, i hope,
            i mean, i can see, i got it, i had fun, i go first, we done, i hate numbers, my answer,
            my turn, my god, my goodness, need, don't want to, don't wanna, let me, let's, gotta,
            heard, hear, give up, choose, forgot, cry, cried, pick, tired, bored, scared, excited,
            hungry, thirsty, sleepy, bet, my bad, hurts, have a cold, have a headache, feeling,
            i like you, pretend i'm
            """
        ),
    ]

    static let robot: [(Tags, String)] = [
        (
            .drill,
            """
            repeat after me, say after me, say it after me, after me, can you say, can you repeat,
            try to say, sing along, sing with me, with me, listen and repeat, listen and say,
            your turn to say, again after me, say it with me, sing it with me, repeat it,
            sing the answers
            """
        ),
        (.again, "try again, once more, one more time, say it again, again, one more"),
        (.imperative, "say, repeat, read, sing, spell, echo, copy"),
        (
            .filler,
            """
            now, please, and, then, ok, okay, let's, together, everybody, again, ready, go, time,
            one, more, the, it, line, lines, song, too, slowly, loud, loudly, try, to, word, words,
            sentence, this, very, good, clearly, all, me, after, with, great, well done
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
            which subject, do you eat, is its name, is his name, is her name, its name, his name,
            her name
            """
        ),
        (.opener, "what, who, where, when, which, how many, how old, whose, why, how, what's"),
        (
            .passingQuestion,
            """
            how are you, do you want to, would you like, want to talk, shall we, do you want,
            are you ready, how do you feel, what are you doing, do you know, do you think,
            did you learn, how did you sleep, did you sleep, do you say, can you, do you see,
            do you hear, would you, could you, will you, are you there, are you up to, you think,
            do you remember, do you call, do you choose, do you pick, are you sitting, shall i,
            should we, can we, do you mean, did you say, did you hear, did you find, do you spell,
            what shall, how about, what about, would, do you like it, did you like,
            are you feeling, are you okay, are you all right, should i, you hear, you see,
            you guess, are you sure
            """
        ),
        (
            [.being, .opener],
            """
            what is, what's, what are, is it, is this, is that, are these, are those
            """
        ),
        (
            .invitation,
            """
            tell me about, tell me all, tell me more, how was, how did it go, what happened,
            did something happen, why is that, and then, what's wrong, what is wrong, what's new,
            anything else, what else, how come
            """
        ),
        (.child, "you, your, yours, yourself"),
        (
            .pretence,
            """
            you be the, you are the, let's pretend, pretend to be, pretend you, role play,
            you play the
            """
        ),
    ]

    private static let answers: [(Tags, String)] = [
        (
            .minimal,
            """
            ok, okay, yes, no, nobody, no one, yeah, nah, nope, yep, fine, stuff, nothing, good,
            whatever, mhm, hm, maybe, forgot, i don't know, dunno, not really, no thanks, um, uh,
            idk, sure, k, bad, so so, boring, bored, i guess
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
            idiot, liar, stop it, never listen, not playing with you, i hate numbers, furious,
            hate you, bad robot, you suck, hate it, so mean, mean robot, mean mean, a mean,
            mean to me, you're a mean, not your friend, not listening
            """
        ),
        (
            .sad,
            """
            sad, so sad, very sad, cry, cried, crying, lonely, i miss, miss my, miss you, miss him,
            miss her, miss them, died, nobody likes me, nobody to play with, heartbroken, unhappy,
            not happy, moved away, don't live together, divorced, upset, bad dream, no friends,
            laughed at me, called me names, teased me, won't let me, left me out, wouldn't let me,
            bullied, picked on me, 😢, 😭, ☹, 😞, passed away
            """
        ),
        (
            .bored,
            """
            boring, bored, i'm bored, so boring, don't want to, i don't want to, want to stop,
            i want to stop, no thanks, whatever, are we done, not really, tired of, sick of,
            can we stop, no more, want to go home, wanna stop, let's stop, i'm done, is it over,
            bored of, i quit, not fun, not interesting, don't want to learn, when is it over,
            when it's over, too long, something else, don't like this, don't like this game,
            don't care, i don't care
            """
        ),
        (
            .wonder,
            """
            wow, whoa, woah, cool, so cool, amazing, that's amazing, awesome, incredible,
            tell me more, interesting, so interesting, fascinating, i want to know, more please,
            so huge, that is so cool, that's so cool, 😮, 😲, 🤩, that is amazing, i didn't know that,
            super cool, another one, once more, one more time, one more please, again again,
            beautiful, so beautiful, more more, no way
            """
        ),
        (
            .joy,
            """
            haha, hihi, hehe, fun, happy, love, best, yummy, funny, great, nice, win, lol,
            thank you, like it, ❤
            """
        ),
        (
            .delight,
            """
            yay, hahaha, hihihi, hehehe, hooray, hurray, woohoo, yippee, so happy, so much fun,
            so fun, this is fun, that was fun, so funny, i'm happy, best day ever,
            the best day ever, i won, the best, you are the best, i love it, i love you, 😀, 😁, 😂,
            😃, 😄, 😊, 🥰, 😍, 🎉, super fun, very happy, so excited, i'm so excited
            """
        ),
    ]
}
