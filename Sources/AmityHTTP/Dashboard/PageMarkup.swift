/// What stands on the pages before anything is known.
enum PageMarkup {
    static let dashboard = #"""
        <a class="skip" href="#main">Skip to the content</a>
        <header class="bar">
          <h1>Amity</h1>
          <p id="queue"></p>
          <p id="as-of"></p>
          <button id="theme" type="button">Theme: auto</button>
          <button id="logout" type="button" hidden>Log out</button>
        </header>
        <noscript><p class="banner">This page needs JavaScript; in a terminal
          <code>amity status --watch</code> shows the same.</p></noscript>
        <p id="banner" class="banner" role="alert" hidden></p>
        <main id="main" tabindex="-1">
          <section id="verdict" data-level="unknown" aria-label="Verdict">
            <div role="status">
              <h2 id="verdict-title">Looking …</h2>
              <p id="verdict-detail"></p>
            </div>
            <ul id="problems"></ul>
          </section>
          <section aria-label="Now"><dl id="tiles"></dl></section>
          <section aria-labelledby="hour-title">
            <h2 id="hour-title">The last hour, all workers</h2>
            <div id="charts"></div>
          </section>
          <section aria-labelledby="workers-title">
            <h2 id="workers-title">Workers</h2>
            <div id="workers"></div>
          </section>
          <section aria-labelledby="letters-title">
            <div class="title">
              <h2 id="letters-title">Dead letters</h2>
              <button id="look" type="button">Look again</button>
            </div>
            <p id="letters-said" role="status"></p>
            <div id="letters"></div>
          </section>
          <section aria-labelledby="failures-title">
            <h2 id="failures-title">Recent failures</h2>
            <div id="failures"></div>
          </section>
        </main>
        <dialog id="ask" aria-labelledby="ask-title" aria-describedby="ask-text">
          <h2 id="ask-title"></h2>
          <p id="ask-text"></p>
          <p id="ask-word"><label for="ask-input">Type <b>purge</b> to go on:</label>
            <input id="ask-input" autocomplete="off" autocapitalize="none" spellcheck="false"></p>
          <div class="choice">
            <button id="ask-no" type="button">Cancel</button>
            <button id="ask-yes" type="button"></button>
          </div>
        </dialog>

        """#

    /// - Parameter complaint: why the last attempt failed.
    static func login(saying complaint: String?) -> String {
        """
        <main class="login">
          <h1>Amity</h1>
          <form method="post" action="/login">
            <label for="token">Token</label>
            <input id="token" name="token" type="password" required autofocus
              autocomplete="current-password" aria-describedby="hint complaint">
            <p id="complaint" role="alert">\(complaint ?? "")</p>
            <button>Log in</button>
            <p id="hint">The worker's <code>HTTP_TOKEN</code>. A session lasts
              \(BrowserSessions.lifetime / 3600) hours.</p>
          </form>
        </main>

        """
    }
}
