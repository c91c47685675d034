/// What the rules know of the robot's Vietnamese: which kind of answer it wants.
extension VietnameseTables {
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
            tên là gì, bao nhiêu tuổi, lớp mấy, lớp nào, trường nào, trường bạn, sống ở đâu,
            nhà bạn ở đâu, ở đâu, những ai, làm nghề gì, nghề gì, món gì, ăn món gì, muốn quà gì,
            quà gì, sinh tháng mấy, sinh ngày nào, cuối tuần, đi đâu, với ai, gia đình, có nuôi,
            anh chị em, ước mơ, lớn lên, sở thích, hôm qua, môn gì
            """
        ),
        ([.invitation, .opener], "có gì vui"),
        (
            .passingQuestion,
            """
            con muốn, bạn muốn, em muốn, cháu muốn, cậu muốn
            """
        ),
        (
            [.personal, .wish],
            "lớn lên con muốn, lớn lên bạn muốn, lớn lên em muốn, sau này con muốn"
        ),
        (.or, "hay, hay là"),
        (.has, "có hay"),
        (.exercise, "một câu có, một câu với, đặt câu, đặt một câu, nói một câu"),
        (.wish, "muốn, ước mơ, ước"),
        (.quiz, "đây là, cái này, con này, số này, chữ này, hình này, đây"),
        (.riddle, "đố, đố con, đố bạn, đố em, đố vui, đoán, đoán xem, câu đố"),
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
            con bò, con trâu, con voi, con hổ, con cá, con chim, con thỏ, con khỉ, con rùa, con lợn,
            con heo, con ngựa, con dê, con kiến, con ong, con bướm, con đường, con ếch, con gấu,
            con nhỉ, con nhé, con ơi, con ạ, con à, bạn nhỉ, bạn nhé, bạn ơi, không con, chưa con,
            rồi con, hả con, thế con, vậy con, con biết không
            """
        ),
        (
            .passingQuestion,
            """
            khỏe không, khoẻ không, đang làm gì, muốn nghe, muốn chơi, muốn học, muốn nói, muốn kể,
            muốn gì, chơi gì nào, chơi gì thế, sao buồn, đúng không, có biết con, có biết vì sao,
            có biết tại sao, có biết ai, có biết cái, có biết hôm, có biết là, biết vì sao,
            biết tại sao, biết con, biết cái, biết là, biết ai, biết hôm, có biết không, muốn hỏi,
            bạn nghe, hay không, là gì nhỉ, tiếng anh, đang, nghĩ, đoán, thấy, đố, đố con, đố bạn,
            nghe rõ, sẵn sàng, chọn, cần gì, cần, nói gì, muốn xem, muốn đọc, muốn hát, nghe được,
            nhìn, hiểu, đói, mệt, thích không, giận, bực
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
            sao con, sao em, sao cháu, chuyện gì, giới thiệu, như thế nào, rồi sao, sau đó, thế rồi,
            vì sao thế, rất tiếc, nghe nói, thương con, chúc mừng, tội nghiệp
            """
        ),
        (
            .pretence,
            """
            đóng kịch, đóng vai, giả vờ, giả bộ, làm cô giáo, chơi đồ hàng, nhập vai, tưởng tượng,
            nếu con, nếu bạn, nếu em, chơi bán hàng, trò bán hàng, chơi bác sĩ, trò bác sĩ,
            chơi cô giáo, trò cô giáo, chơi nấu ăn, trò nấu ăn
            """
        ),
        (.child, "bạn, con, em, cháu, cậu"),
    ]
}
