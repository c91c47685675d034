/// What the rules know of moods in English.
extension EnglishTables {
    static let feelings: [(Tags, String)] = [
        // How one is just now, and no mood.
        (.passing, "tired, so tired, sleepy, sick, ill, hurts, headache, fever, a cold, dizzy"),
        (.negator, "not, don't, doesn't, didn't, never, no, can't, isn't, wasn't, aren't, nothing"),
        (.adverb, "really, so, very, that, a, the, too, be, feel, much, is"),
        (
            .angry,
            """
            stupid, shut up, go away, leave me alone, so mad, i'm mad, mad at, angry, annoying,
            not fair, unfair, you're mean, you are mean, worst, cheated, cheater, jerk, meanie,
            snitch, dummy, all your fault, your fault, not talking to you, i hate this,
            hate this game, dumb, idiot, liar, stop it, never listen, not playing with you, furious,
            hate you, bad robot, you suck, hate it, so mean, mean robot, mean to me, you're a mean,
            not your friend, not listening
            """
        ),
        (
            .sad,
            """
            sad, cry, cried, crying, lonely, i miss, miss my, miss you, miss him, miss her,
            miss them, died, nobody likes me, nobody to play with, nobody wants to play,
            nobody plays with me, no one plays with me, no one likes me, heartbroken, unhappy,
            not happy, divorced, upset, bad dream, no friends, laughed at me, called me names,
            teased me, won't let me, left me out, wouldn't let me, bullied, picked on me, 😢, 😭, ☹,
            😞, passed away, dead, die, sniff, hurt my feelings, left without me, lost my
            """
        ),
        (
            .bored,
            """
            boring, bored, don't want to, want to stop, no thanks, are we done, not really,
            tired of, sick of, can we stop, no more, want to go home, wanna stop, let's stop,
            i'm done, is it over, bored of, i quit, not fun, not interesting, don't want to learn,
            when is it over, when it's over, too long, something else, don't like this,
            don't like this game, don't care
            """
        ),
        (
            .wonder,
            """
            wow, whoa, woah, cool, amazing, awesome, incredible, tell me more, interesting,
            fascinating, i want to know, more please, so huge, 😮, 😲, 🤩, i didn't know that,
            super cool, another one, once more, one more time, one more please, again again,
            beautiful, more more, no way
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
            so fun, this is fun, that was fun, so funny, i'm happy, best day ever, i won, the best,
            i love it, i love you, 😀, 😁, 😂, 😃, 😄, 😊, 🥰, 😍, 🎉, super fun, very happy, so excited
            """
        ),
    ]
}
