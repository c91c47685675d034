/// What the rules know of Vietnamese, with its marks; where a child types none, the same tables are
/// read without them.
enum VietnameseTables {
    static let grammar: [(Tags, String)] = questions + memories + answers

    /// Enough of its commonest words to tell it from the other.
    static let language: [(Tags, String)] = [
        (
            .vietnamese,
            """
            không, ko, hok, gì, tớ, tôi, được, nhà, thích, biết, hôm, nay, buồn, vui, bạn, mấy,
            tuổi, nào, một, trường, lớp, mẹ, bố, trời, nhiều, thế, có, cái, của, với, đi, ơi, nó,
            thì, là, cho, lắm, quá, rồi, chưa, thiệt, vậy, hả, sao, ai, kiến, nhiêu, đâu, bik, ạ,
            dạ, vâng, nhỉ, tên, hai, con, em, chán, chơi, học, mình, ừ, thôi, muốn, ở
            """
        )
    ]

    private static let questions: [(Tags, String)] = [
        (
            .asking,
            """
            tại sao, vì sao, sao lại, bao nhiêu, bao giờ, khi nào, như thế nào, thế nào, kiểu gì,
            là gì, cái gì, con gì, làm gì, ăn gì, có gì, vị gì, màu gì, tên gì, ở đâu, đi đâu,
            từ đâu, thì sao, bao lâu, bao xa, mấy tuổi, mấy giờ, cái nào, con nào, loại nào,
            chỗ nào, màu nào, bạn nào, ngày nào, đường nào, cách nào, bài nào, câu nào, lúc nào,
            quả nào, số nào, chữ nào, hình nào, trò nào, nước nào, nhà nào, bên nào, hồi nào,
            người nào, thứ nào, chuyện nào, truyện nào, làm thế nào, làm sao, như nào, nói thế nào,
            ai dạy, ai làm, là ai, của ai, là what, =còn bạn, còn pika, hay là, bằng gì,
            bằng cái gì, để làm gì, cỡ nào, cỡ nào vậy, để chi, là sao, sao thế, sao vậy
            """
        ),
        (.indefinite, "gì, ai, đâu, nào, mấy, =chi"),
        ([.indefinite, .some], "đâu, =chi"),
        ([.indefinite, .tag], "nào"),
        (.plural, "mấy"),
        (.also, "cũng"),
        (.has, "có"),
        (.brief, "hơn"),
        ([.wish, .adverb], "lớn lên, sau này, mai mốt"),
        (
            [.fact, .identity],
            """
            biết bơi, biết đi, biết vẽ, biết hát, biết nấu, biết múa, biết đọc, biết viết
            """
        ),
        ([.fact, .negator], "không có, hổng có, hông có, không ăn được"),
        (.some, "đó, đấy, hết, cả, kia, ấy, mà, đâu, nấy"),
        (.or, "hay, hay là"),
        // Stars.
        (
            .hollow,
            """
            ngôi sao, ông sao, vì sao sáng, các vì sao, sao biển, sao hỏa, sao hoả, sao kim,
            sao mộc, sao thổ, sao băng, sao chổi, sao thủy, sao sáng, đèn ông sao, ông sao sáng
            """
        ),
        (.why, "sao, ai"),
        (.yesNo, "không, ko, hok, hông, hong, hổng, hem, chưa, khum, hôn"),
        ([.tag, .softTag], "=à"),
        (.tag, "hả, hở, hử, đúng không, phải không, đúng ko, phải ko, đúng hông, phải hông"),
        (
            .filler,
            """
            ơi, à, ạ, ơ, ê, ồ, ô, ôi, nhỉ, nhé, ha, chứ, nha, ủa, ừ, ừm, dạ, vâng, thế, vậy,
            cho con hỏi, con hỏi nè, cho em hỏi, cho hỏi, con muốn hỏi, hỏi nè, ta, dợ, dạ pika, á,
            nè, pika ạ, với pika, hén, hen, đi pika, thế thì, vậy thì, nhưng, nhưng mà, mà, còn,
            pika ơi, vậy pika, thế pika, oa, woa, ok pika, này, với, rồi, thôi, thế á, vậy hả
            """
        ),
        (
            .idle,
            """
            hả, gì, gì cơ, gì vậy, cái gì cơ, gì thế, sao cơ, hở, thật không, thật hả, thật á,
            thật à, thiệt hả, thiệt không, thế à, thế hả, vậy à, vậy hả, thế á, ồ thế à,
            ai mà biết, ai mà biết được, ai biết, sao mà biết, sao tớ biết được, làm sao mà biết,
            không có gì, không làm gì, không làm gì cả, không biết gì, gì cũng được, gì cũng,
            chơi gì cũng được, ai cũng, đâu cũng, nào cũng, sao cũng được, sao cũng, chứ gì,
            chứ gì nữa, chẳng có gì, không sao, không ai, không có ai, chả có ai, chẳng có ai,
            nói lại đi, nói lại được không, đọc lại được không, gì cả, gì đó, gì đấy, ai đó,
            đâu đó, nào đó, chẳng ai, chả ai, không đâu, đâu có, biết gì đâu, robot gì mà, gì mà,
            bao nhiêu lần rồi, làm gì có, cái gì cũng, sao đâu, chả sao, không gì, có gì đâu,
            chẳng sao, kể nào, chơi nào, học nào
            """
        ),
        (.reporting, "hỏi, =bảo, kể là, nói là, đã hỏi, dặn"),
        (.knowing, "biết, không biết, ko biết, hiểu, nhớ, không nhớ"),
    ]

    private static let memories: [(Tags, String)] = [
        (
            .firstPerson,
            """
            tớ, =tôi, mình, con, em, cháu, tui, nhà tui, lớp tui, tụi tui, tụi mình, chúng tớ,
            tụi con, bọn tớ, nhà tớ, nhà con, nhà em, nhà mình, lớp tớ, lớp con, lớp em, trường tớ,
            trường con
            """
        ),
        (
            .possessive,
            """
            của tui, nhà tui, nhà cháu, lớp tui, lớp cháu, nhà tớ, nhà con, nhà em, nhà mình,
            lớp tớ, lớp con, lớp em, trường tớ, trường con, sinh nhật tớ, sinh nhật con,
            sinh nhật em, của tớ, của con, của em, của mình, của cháu
            """
        ),
        (.anaphor, "nó, em ấy, chị ấy, anh ấy, bạn ấy, cô ấy, em bé, tên là, bà ấy, ông ấy"),
        (
            .negator,
            """
            không, ko, không thích, ko thích, không sợ, chẳng, chả, đừng, chưa, không có, hok,
            hông, hong, hổng, khỏi, hem, đâu có, không hề
            """
        ),
        (
            .adverb,
            """
            rất, cũng, hay, đã, vừa, mới, từng, sẽ, luôn, thường, cực, cực kì, toàn, vẫn, đều,
            hôm nay, hôm qua, tuần sau, tuần trước, hôm kia, ngày mai, mai, sáng nay, tối qua,
            hè này, hôm trước, cuối tuần, hồi bé, lúc nãy, chiều nay, hè năm ngoái, năm ngoái,
            tối nay, thứ bảy, chủ nhật, tại, vì, thì, trưa nay, hồi tối, hồi sáng, hồi trưa,
            hồi chiều, hồi nãy, hồi nhỏ, bữa, bữa trước, bữa nay, bữa nọ, hôm nọ, hôm bữa,
            sáng nào, ngày nào, tối nào, chiều nào, hôm nào, mỗi ngày, mỗi tối, tuần này,
            tháng trước, chiều qua, sáng qua, hôm, lúc, đêm qua, sáng hôm qua, tối hôm qua,
            chiều hôm qua, chủ nhật này, bây giờ, mà, cứ, lại, lúc đầu, xong, rồi, thế là, hồi hè,
            tết, tết này
            """
        ),
        (
            .fact,
            """
            thích, thích chơi, thích ăn, thích học, thích xem, thích đọc, thích vẽ, yêu, ghét, có,
            học, sống, ở, biết bơi, biết đi, biết vẽ, biết hát, biết nấu, sợ, nuôi, giỏi,
            giỏi nhất, hay, chơi, ăn, không thích, ko thích, sinh, cao, nặng, dùng, làm, tập, mê,
            thuộc, không sợ, đi xe, đi bộ, tên, tên là
            """
        ),
        (
            .event,
            """
            được, bị, đi, xé, xem, thấy, trượt, mua, gặp, vẽ, nấu, thắng, ngã, làm vỡ, làm mất,
            lam vo, tặng, mang, chuyển, mất, ốm, đốt, trêu, bế, cho, thưởng, nhận được, bắt được,
            đánh, hát, chết, chết rồi, rớt, khen, la, thua, vẽ được, ăn được, về
            """
        ),
        (.being, "là"),
        (
            [.being, .asking],
            """
            là gì, là ai, là what, là cái gì, là con gì, là ở đâu, là tại sao, là khi nào,
            là cái nào
            """
        ),
        (.identity, "tuổi, người, lớp, học sinh"),
        (.number, "một, hai, ba, bốn, năm, sáu, bảy, tám, chín, mười, mot, bay"),
        (
            .wish,
            """
            muốn làm, muốn có, muốn trở thành, ước mơ, muốn thành, ước có, muốn được đi, sẽ làm
            """
        ),
        (
            .family,
            """
            mẹ, bố, ba, =má, bà, ông, anh, chị, em trai, em gái, em, em bé, =cô, chú, =dì, ông nội,
            bà nội, ông ngoại, bà ngoại, =cậu, bác, bạn thân, các bạn
            """
        ),
        (
            .pet,
            """
            con mèo, con chó, con cá, con chim, chó, mèo, con thỏ, cá, con rùa, bạn, chú chó,
            chú mèo, em bé, xe
            """
        ),
        (
            .hollow,
            """
            òm, hoài, thôi, lắm, quá, nữa, đâu, ạ, luôn, rồi, pika, nhé, cực, thế, vậy, ghê, thật,
            được, xong, mà, này, đấy, đó, nó, học nữa, cơ, chơi
            """
        ),
        (.now, "đã, đây, đi, thôi, nhé, nha, nhen, mà"),
        (.bareVerb, "muốn"),
        (.conjunction, "còn, chừng nào, và, nhưng, vì, nên, nhưng mà, tại vì, rồi, xong"),
        (
            .passing,
            """
            đang, không biết, ko biết, biết rồi, muốn chơi, muốn nghe, muốn ngủ, muốn đi ngủ,
            muốn đi chơi, muốn học, muốn khóc, không muốn, ăn rồi, buồn ngủ, không hiểu, tớ nghe,
            con nghe, em nghe, mình nghe, tớ xem đi, con xem đi, giúp tớ, giúp con, câu hỏi,
            chả có ai, chẳng có ai, không có ai, nghĩ, đoán, chọn, để con, con mà, tớ mà, khóc,
            nhớ, để tớ, nếu, if, mẹ gọi, mẹ kêu, ba gọi, bố gọi, đi tắm, đi vệ sinh, đi tè, đau,
            hiểu rồi, mẹ nói, ba nói, cô nói, bà nói, chưa ăn, chưa ngủ, chưa xong, chưa làm,
            thấy buồn, thấy vui, thấy chán, thấy mệt, thấy sợ, thấy hay, thấy đói, giả vờ, mệt,
            đói, khát
            """
        ),
    ]

    static let robot: [(Tags, String)] = [
        (
            .drill,
            """
            nói theo, đọc theo, hát theo, nhắc lại, lặp lại, đọc lại, hát lại, hát cùng, hát với,
            cùng hát, đọc to, đánh vần, nhại theo, lặp lại theo, nhắc theo, nói theo tớ,
            nói theo mình, bắt chước, nghe và nói, nghe và lặp, đọc cùng, nhắc lại theo
            """
        ),
        (.again, "thử lại, nói lại, một lần nữa, lần nữa, thêm lần nữa"),
        (
            .filler,
            """
            nhé, nha, nào, con, bạn, ơi, em, các con, cháu, lần nữa, một lần nữa, đi, tớ, mình,
            pika, và, câu, từ, bài, bài hát, này, cùng, với, nè, thử, to, rõ, lên, hãy, cô, theo
            """
        ),
        (
            .personal,
            """
            tên là gì, tên gì, mấy tuổi, bao nhiêu tuổi, thích màu gì, thích gì, thích ăn gì,
            thích chơi gì, thích con gì, thích môn gì, thích con vật nào, thích cô giáo nào, nhất,
            lớp mấy, lớp nào, trường nào, trường bạn, sống ở đâu, nhà bạn ở đâu, ở đâu, những ai,
            làm nghề gì, nghề gì, món gì, ăn món gì, đi học bằng gì, muốn quà gì, quà gì,
            sinh tháng mấy, sinh ngày nào, hôm nay làm gì, bạn làm gì, cuối tuần, đi đâu, với ai,
            gia đình, nuôi con gì, có nuôi, anh chị em, ước mơ, lớn lên, sở thích, hôm qua, môn gì
            """
        ),
        ([.invitation, .opener], "có gì vui"),
        (
            .opener,
            """
            gì, ai, đâu, nào, mấy, bao nhiêu, con gì, con nào, cái gì, cái nào, làm gì, ăn gì
            """
        ),
        // Of animals and letters, not of the child.
        (
            .hollow,
            """
            con này, con vật, con kia, con đó, con số, con chữ, con mèo, con chó, con gà, con vịt,
            con bò, con trâu, con voi, con hổ, con cá, con chim, con thỏ, con khỉ, con rùa,
            con lợn, con heo, con ngựa, con dê, con kiến, con ong, con bướm, con đường, con ếch,
            con gấu
            """
        ),
        (
            .passingQuestion,
            """
            khỏe không, khoẻ không, đang làm gì, muốn nghe, muốn chơi, muốn học, muốn nói, muốn kể,
            muốn gì, chơi gì nào, chơi gì thế, sao buồn, đúng không, có biết, muốn hỏi, bạn nghe,
            hay không, là gì nhỉ, tiếng anh, đang, nghĩ, đoán, thấy, đố, đố con, đố bạn, nghe rõ,
            sẵn sàng, biết, chọn, cần gì, cần, nói gì, muốn xem, muốn đọc, muốn hát,
            muốn có nhân vật, nghe được, nhìn, hiểu, đói, mệt, thích không, nhé
            """
        ),
        (
            [.being, .opener],
            """
            là gì, bằng mấy, con gì, cái gì, tiếng gì, màu gì, hình gì, chữ gì, số mấy, là ai
            """
        ),
        (
            .invitation,
            """
            kể, thế nào, vui không, có vui không, sao vậy, sao thế, vì sao, vì sao vậy, sao bạn,
            sao con, sao em, sao cháu, chuyện gì, giới thiệu, như thế nào, rồi sao, sau đó,
            thế rồi, vì sao thế
            """
        ),
        (.pretence, "đóng kịch, đóng vai, giả vờ, giả bộ, làm cô giáo, chơi đồ hàng, nhập vai"),
        (.child, "bạn, con, em, cháu, cậu"),
    ]

    private static let answers: [(Tags, String)] = [
        (
            .minimal,
            """
            ừ, ờ, không, ko, có, dạ, vâng, thôi, bik, ko bik, không biết, ko biết, bình thường,
            không thích, =chán, được, ừm, rồi, hem, khỏe, vui, chẳng hay, thôi khỏi, sao cũng được,
            gì cũng được, thôi chán, chả biết, k, không muốn, hông
            """
        )
    ]

    static let feelings: [(Tags, String)] = [
        (
            .negator,
            """
            không, ko, chẳng, chả, đừng, chưa, hết, hok, không có, không hề, hông, hong, hổng
            """
        ),
        (.again, "nữa"),
        // How one is just now, and no mood.
        (
            .passing,
            """
            buồn ngủ, buồn đi, buồn nôn, buồn tè, mệt, mệt rồi, mệt quá, muốn ngủ, muốn đi ngủ
            """
        ),
        (.adverb, "rất, cũng, có, bị, thấy, hay, còn, thật, phải, tức là"),
        (
            .angry,
            """
            đáng ghét, tức, tức lắm, tức chết, tức quá, bực, bực mình, bực quá, bực ghê, im đi,
            =cút, cút đi, đồ ngốc, robot ngốc, pika ngốc, xấu tính, đồ ngu, =ngu, phiền quá, giận,
            không thèm, dở ẹc, đã bảo, đã bảo không, ghét pika, ghét tiếng anh, ghét lắm, ghét quá,
            ghét nó, ghét bạn, ghét mẹ, không công bằng, không chơi với pika nữa, bực bội, =điên,
            điên quá, tức điên, đồ tồi, phiền, xấu lắm, tranh của, giành, ghét thế, 😡, 😠, 🤬
            """
        ),
        (
            .sad,
            """
            buồn, buồn quá, buồn lắm, buồn ghê, khóc, muốn khóc, hông vui, hong vui, hổng vui,
            chẳng vui, chả vui, một mình, huhu, huhuhu, hu hu, nhớ mẹ, nhớ bố, nhớ ông, nhớ bà,
            nhớ ba, mất rồi, không vui, trêu, không chơi với tớ, không chơi với con, không ai chơi,
            chả có ai chơi, cô đơn, bị mắng, lo lắm, tủi thân, không ổn, chẳng bao giờ thắng,
            không ai chơi với con, chả có ai
            """
        ),
        (
            .bored,
            """
            =chán, chán quá, chán lắm, chán ngắt, thôi chán, chán cái, chán trò, chán rồi,
            chán ghê, tắt đi, nghỉ thôi, hổng học, chán phèo, không muốn học, không học nữa,
            không thích học nữa, không đọc nữa, muốn đi chơi, thôi khỏi, chẳng hay, không hay,
            lại học à, học nữa à, nghỉ đi, không muốn, không thích học, không muốn học nữa, =dở
            """
        ),
        (
            .wonder,
            """
            hay quá, hay thế, hay nhỉ, hay thật, hay ghê, hay thật đấy, đỉnh, đỉnh quá, đỉnh lắm,
            ghê thế, ghê vậy, ghê, kể tiếp, kể tiếp đi, kể nữa, kể nữa đi, kể thêm, kể thêm đi,
            muốn nghe nữa, nghe nữa, woa, =oa, quào, =ồ, =ô, =ơ, đẹp thế, kỳ lạ, lạ thế, thú vị,
            thích thế, đẹp quá, tuyệt quá, siêu quá, sợ thế, to thế, thiệt hả, thật á
            """
        ),
        (
            .joy,
            """
            vui, hihi, hehe, haha, lêu lêu, há há, khà khà, yêu, ngon, thích quá, tuyệt vời,
            cảm ơn, thích lắm, buồn cười, hí hí, siêu nhân, yummy
            """
        ),
        (
            .delight,
            """
            vui quá, vui lắm, vui ơi là vui, vui cực, vui cực kì, vui ghê, hoan hô, ye, yê,
            thắng rồi, tớ vui lắm, sướng quá, buồn cười quá, vui quá đi, thích quá đi, hạnh phúc,
            yêu pika, vui lắm luôn, con thích quá, tớ thích quá
            """
        ),
    ]
}
