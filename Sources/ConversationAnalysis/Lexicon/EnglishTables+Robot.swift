/// What the rules know of the robot's English: which kind of answer it wants.
extension EnglishTables {
    static let robot: [(Tags, String)] = [
        (
            .drill,
            """
            repeat after me, say after me, say it after me, after me, can you say, can you repeat,
            try to say, sing along, sing with me, with me, listen and repeat, listen and say,
            again after me, say it with me, sing it with me, repeat it
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
            favourite, favorite, what grade, which grade, what class, do you like to play,
            want to be, do you want to be, want to become, what flavour, what flavor, what sport,
            what sports, which subject, is its name, its name, his name, her name, how old will you,
            who will you, where will you, when will you, what will you be, what will you call,
            what will you name
            """
        ),
        (.opener, "what, who, where, when, which, how many, how old, whose, why, how, what's"),
        (
            .passingQuestion,
            """
            how are you, do you want to, would you like, want to talk, shall we, do you want,
            are you ready, how do you feel, what are you doing, do you know, do you think,
            did you learn, how did you sleep, did you sleep, do you say, can you say, can you tell,
            can you help, can you guess, can you find, can you see, can you hear, can you show,
            can you count, can you spell, can you sing, can you name, can you try, can you think,
            can you read, can you repeat, do you see, do you hear, would you, could you, will you,
            are you there, are you up to, you think, do you remember, do you call, do you choose,
            do you pick, are you sitting, shall i, should we, can we, do you mean, did you say,
            did you hear, did you find, do you spell, what shall, how about, what about, would,
            do you like it, did you like, are you feeling, are you okay, are you all right,
            should i, you hear, you see, you guess, are you sure
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
            tell me, tell me about, tell me all, tell me more, what then, then what, go on, how was,
            how did it go, what happened, did something happen, why is that, and then, what's wrong,
            what is wrong, what's new, anything else, what else, how come, i'm sorry, i'm so sorry,
            i am sorry, i am so sorry, that hurts, that sounds, that must, poor you, happy birthday,
            why not, why so
            """
        ),
        (.child, "you, your, yours, yourself"),
        (.or, "or"),
        (.asking, "ask me"),
        (
            .exercise,
            """
            make a sentence, say a sentence, a sentence with, use the word, make up a sentence,
            in a sentence
            """
        ),
        (.wish, "want, want to be, wish, would you like"),
        (.quiz, "this, that, these, those, this one, that one"),
        (.hollow, "tell me which, tell me what, tell me how many, tell me where, tell me who"),
        (.riddle, "guess, i'm thinking of, i am thinking of, i spy, what am i, who am i, riddle"),
        (
            .pretence,
            """
            you be the, you are the, let's pretend, pretend to be, pretend you, role play,
            you play the, imagine, if you could, if you had, if you were, let's play shop,
            let's play school, let's play doctor, let's play house, being the, a story of your own,
            make up a, let's make up, your own story, tell me a story
            """
        ),
    ]
}
