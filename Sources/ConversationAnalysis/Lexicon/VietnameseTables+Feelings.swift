/// What the rules know of moods in Vietnamese.
extension VietnameseTables {
    static let feelings: [(Tags, String)] = [
        (
            .negator,
            """
            không, ko, chẳng, chả, đừng, chưa, hết, hok, không có, không hề, hông, hong, hổng
            """
        ),
        (.again, "nữa"),
        (
            .activity,
            """
            học, chơi, đọc, hát, nghe, làm, kể, nói, xem, vẽ, tập, viết, thích, muốn
            """
        ),
        // How one is just now, and no mood.
        (
            .passing,
            """
            buồn ngủ, buồn đi, buồn nôn, buồn tè, mệt, mệt rồi, mệt quá, muốn ngủ, muốn đi ngủ,
            nhức đầu, đau đầu, đau bụng, sốt, đau, nhức, đói
            """
        ),
        (.adverb, "rất, cũng, có, bị, được, thấy, hay, còn, thật, phải, tức là"),
        (
            .angry,
            """
            đáng ghét, tức, =giận, giận ba, giận bố, giận mẹ, đang giận, con giận, tớ giận,
            giận lắm, ăn gian, đồ con nít, chơi xấu, tức chết, bực, bực mình, im đi, =cút, cút đi,
            đồ ngốc, robot ngốc, pika ngốc, xấu tính, đồ ngu, =ngu, không thèm, dở ẹc, ghét pika,
            ghét lắm, ghét quá, ghét nó, ghét bạn, ghét mẹ, không công bằng, bực bội, =điên,
            điên quá, tức điên, đồ tồi, phiền, xấu lắm, giành, ghét thế, 😡, 😠, 🤬
            """
        ),
        (
            .sad,
            """
            buồn, khóc, muốn khóc, hông vui, hong vui, hổng vui, chẳng vui, chả vui, một mình, huhu,
            huhuhu, hu hu, nhớ mẹ, nhớ bố, nhớ ông, nhớ bà, nhớ ba, bà mất, ông mất, con mất rồi,
            tớ mất rồi, bị mất, qua đời, không vui, trêu, không chơi với tớ, không chơi với con,
            không ai chơi, chả có ai chơi, cô đơn, bị mắng, lo lắm, tủi thân, không ổn,
            chẳng bao giờ thắng, không ai chơi với con, chả có ai
            """
        ),
        (
            .bored,
            """
            =chán, chán quá, chán lắm, chán ngắt, thôi chán, chán cái, chán trò, chán rồi, chán ghê,
            tắt đi, nghỉ thôi, hổng học, chán phèo, không muốn học, không học nữa,
            không thích học nữa, không đọc nữa, muốn đi chơi, chẳng hay, không hay, lại học à,
            học nữa à, nghỉ đi, không muốn, không thích học, không muốn học nữa, =dở
            """
        ),
        (
            .wonder,
            """
            hay quá, hay thế, hay nhỉ, hay thật, hay ghê, đỉnh, ghê thế, ghê vậy, ghê, kể tiếp,
            kể nữa, kể thêm, muốn nghe nữa, nghe nữa, woa, =oa, quào, =ồ, =ô, =ơ, đẹp thế, kỳ lạ,
            lạ thế, thú vị, thích thế, đẹp quá, tuyệt quá, siêu quá, sợ thế, to thế, thiệt hả,
            thật á
            """
        ),
        (
            .joy,
            """
            vui, hihi, hehe, haha, lêu lêu, há há, khà khà, yêu, ngon, thích quá, tuyệt vời, cảm ơn,
            thích lắm, buồn cười, hí hí, siêu nhân, yummy
            """
        ),
        (
            .delight,
            """
            vui quá, vui lắm, vui ơi là vui, vui cực, vui cực kì, vui ghê, hoan hô, ye, yê,
            =thắng rồi, sướng quá, buồn cười quá, thích quá đi, hạnh phúc, yêu pika, con thích quá,
            tớ thích quá
            """
        ),
    ]
}
