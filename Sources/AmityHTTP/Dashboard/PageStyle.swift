/// How the pages look: in the light and in the dark, from a phone's width on.
enum PageStyle {
    static let base = #"""
        :root {
          color-scheme: light dark;
          --ground: light-dark(#f3f5f6, #0e1215);
          --card: light-dark(#ffffff, #161b1f);
          --ink: light-dark(#182026, #e3e8eb);
          --faint: light-dark(#56626b, #9ba8b1);
          --line: light-dark(#d8dee2, #2b343b);
          --gap: light-dark(#eceff1, #1c2328);
          --ok: light-dark(#0b6b60, #5ad1bb);
          --ok-ground: light-dark(#e3f4f0, #10302b);
          --warn: light-dark(#8a4f00, #f2b860);
          --warn-ground: light-dark(#fff2db, #38290f);
          --bad: light-dark(#b0211a, #ff9085);
          --bad-ground: light-dark(#fdeae8, #41191a);
          --one: light-dark(#0a63bd, #6fb4ff);
          --two: light-dark(#b8410a, #ffa066);
        }
        :root[data-theme=light] { color-scheme: light; }
        :root[data-theme=dark] { color-scheme: dark; }
        * { box-sizing: border-box; }
        body {
          margin: 0; background: var(--ground); color: var(--ink);
          font: 14px/1.45 system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
          font-variant-numeric: tabular-nums;
        }
        h1, h2, p, ul, dl, dd, figure { margin: 0; padding: 0; }
        h1 { font-size: 17px; letter-spacing: -.01em; }
        h2 { font-size: 13px; font-weight: 600; color: var(--faint); margin: 0 0 8px; }
        button, input {
          font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line);
          border-radius: 6px; padding: 5px 11px; min-height: 32px;
        }
        button { cursor: pointer; }
        button:hover:enabled { border-color: var(--faint); }
        button:disabled { opacity: .5; cursor: default; }
        :focus-visible { outline: 2px solid var(--one); outline-offset: 2px; }
        [hidden] { display: none !important; }

        """#

    static let login = #"""
        .login { max-width: 340px; margin: 15vh auto 0; padding: 0 16px; }
        .login form {
          display: grid; gap: 8px; margin-top: 12px; padding: 20px;
          background: var(--card); border: 1px solid var(--line); border-radius: 10px;
        }
        label { font-weight: 600; }
        input { min-height: 40px; background: var(--ground); }
        button { min-height: 40px; background: var(--ok); border-color: var(--ok);
          color: var(--card); font-weight: 600; }
        #complaint { color: var(--bad); min-height: 1.45em; }
        #hint { color: var(--faint); font-size: 13px; }

        """#

    static let dashboard = #"""
        .skip { position: absolute; left: -999px; }
        .skip:focus { left: 8px; top: 8px; padding: 4px 8px; background: var(--card); z-index: 1; }
        .bar {
          display: flex; flex-wrap: wrap; align-items: center; gap: 4px 12px;
          max-width: 1320px; margin: 0 auto; padding: 10px 16px;
        }
        #queue { overflow-wrap: anywhere; color: var(--faint); }
        #as-of { margin-left: auto; color: var(--faint); }
        main { max-width: 1320px; margin: 0 auto; padding: 0 16px 32px; display: grid; gap: 20px; }
        main:focus { outline: none; }
        main > * { min-width: 0; }
        .banner { background: var(--bad-ground); color: var(--bad); font-weight: 600;
          padding: 10px 16px; text-align: center; }
        .banner a { color: inherit; }
        .stale #tiles, .stale #charts, .stale #workers, .stale #failures { opacity: .45; }

        #verdict { border-radius: 10px; padding: 14px 18px; border-left: 6px solid var(--faint);
          background: var(--card); }
        #verdict h2 { font-size: 22px; line-height: 1.25; margin: 0; color: var(--faint); }
        #verdict[data-level=ok] { background: var(--ok-ground); border-color: var(--ok); }
        #verdict[data-level=warn] { background: var(--warn-ground); border-color: var(--warn); }
        #verdict[data-level=bad] { background: var(--bad-ground); border-color: var(--bad); }
        #verdict[data-level=ok] h2 { color: var(--ok); }
        #verdict[data-level=warn] h2 { color: var(--warn); }
        #verdict[data-level=bad] h2 { color: var(--bad); }
        #problems { list-style: none; display: grid; gap: 4px; }
        #problems:not(:empty) { margin-top: 8px; }
        #problems li { display: flex; gap: 8px; font-size: 15px; overflow-wrap: anywhere; }
        #problems b { color: var(--warn); min-width: 5.2em; flex: none; }
        #problems b::before { content: "! "; }
        #problems [data-level=bad] b { color: var(--bad); }
        #problems [data-level=bad] b::before { content: "✕ "; }
        #problems a { color: inherit; }

        #tiles { display: grid; gap: 1px; background: var(--line);
          border: 1px solid var(--line); border-radius: 10px;
          overflow: hidden;
          grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); }
        #tiles div { background: var(--card); padding: 9px 14px; }
        #tiles dt { color: var(--faint); font-size: 12px; }
        #tiles dd { font-size: 21px; line-height: 1.3; font-weight: 600; white-space: nowrap; }
        #tiles small { display: block; font-size: 12px; line-height: 1.3; font-weight: 400;
          color: var(--faint); overflow: hidden; text-overflow: ellipsis; }
        #tiles [data-level=warn] dd { color: var(--warn); }
        #tiles [data-level=bad] dd { color: var(--bad); }

        #charts { display: grid; gap: 12px; grid-template-columns: repeat(4, minmax(0, 1fr)); }
        figure { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
          padding: 10px 12px 4px; min-width: 0; }
        figcaption b { font-weight: 600; }
        figcaption output { display: flex; gap: 0 12px; white-space: nowrap; }
        .key::before { content: ""; display: inline-block; width: 10px; height: 3px;
          margin-right: 5px; vertical-align: middle; background: var(--one); }
        .key.two::before { background: var(--two); }
        .at { color: var(--faint); }
        svg { display: block; width: 100%; height: 132px; touch-action: pan-y; border-radius: 4px;
          outline-offset: 0; }
        svg text { fill: var(--faint); font-size: 11px; }
        .grid { stroke: var(--line); stroke-width: 1; }
        .gap { fill: var(--gap); }
        .line { fill: none; stroke: var(--one); stroke-width: 1.6; stroke-linejoin: round; }
        .area { fill: var(--one); opacity: .1; }
        .dot { fill: var(--one); }
        .line.two { stroke: var(--two); }
        .dot.two { fill: var(--two); }
        .cursor { stroke: var(--faint); stroke-width: 1; }

        table { width: 100%; border-collapse: separate; border-spacing: 0; overflow: hidden;
          background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
        th, td { text-align: left; padding: 6px 10px; vertical-align: top; }
        th { color: var(--faint); font-weight: 500; font-size: 12px; white-space: nowrap; }
        tbody td { border-top: 1px solid var(--line); }
        .number { text-align: right; white-space: nowrap; }
        .gone { color: var(--faint); }
        .why { display: block; color: var(--faint); font-size: 13px; }
        .state { font-weight: 600; white-space: nowrap; }
        .state[data-level=ok] { color: var(--ok); }
        .state[data-level=warn] { color: var(--warn); }
        .state[data-level=bad] { color: var(--bad); }
        .id, code { font-family: ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace;
          font-size: 12.5px; overflow-wrap: anywhere; }
        meter { width: 56px; height: 8px; margin-left: 6px; vertical-align: middle; }
        meter::-webkit-meter-bar { height: 6px; border: 0; background: var(--line); }
        meter::-webkit-meter-optimum-value { background: var(--one); }
        meter::-moz-meter-bar { background: var(--one); }
        .none { color: var(--faint); }

        .title { display: flex; align-items: center; gap: 12px; margin-bottom: 8px; }
        .title h2 { margin: 0 auto 0 0; }
        #letters-said:not(:empty) { margin-bottom: 8px; font-weight: 600; }
        #letters { display: grid; gap: 8px; }
        .group { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
          padding: 10px 14px; min-width: 0; }
        .group header { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 12px; }
        .group h3 { margin: 0; font-size: 14px; overflow-wrap: anywhere; }
        .group h3 + p { flex: 1 1 320px; color: var(--faint); overflow-wrap: anywhere; }
        .acts { display: flex; gap: 8px; }
        .danger:enabled { color: var(--bad); }
        summary { cursor: pointer; color: var(--faint); margin-top: 6px; width: fit-content; }
        details table { border: 0; margin-top: 4px; }
        details td { vertical-align: middle; }

        dialog { color: var(--ink); background: var(--card); border: 1px solid var(--line);
          border-radius: 10px; padding: 20px; width: min(440px, calc(100vw - 32px)); }
        dialog::backdrop { background: rgb(0 0 0 / .5); }
        dialog h2 { font-size: 17px; color: var(--ink); }
        #ask-word { margin-top: 12px; display: grid; gap: 4px; }
        .choice { display: flex; justify-content: flex-end; gap: 8px; margin-top: 18px; }

        @media (min-width: 1100px) {
          .whole { white-space: nowrap; }
        }
        @media (max-width: 1250px) {
          #charts { grid-template-columns: repeat(2, minmax(0, 1fr)); }
        }
        @media (max-width: 720px) {
          #charts { grid-template-columns: minmax(0, 1fr); }
          #tiles { grid-template-columns: repeat(2, 1fr); }
          #tiles div:last-child:nth-child(odd) { grid-column: 1 / -1; }
          .bar h1 { margin-right: auto; }
          #queue { order: 8; width: 100%; }
          #as-of { margin-left: 0; order: 9; }
        }
        @media (max-width: 880px) {
          thead { position: absolute; clip-path: inset(50%); height: 1px; overflow: hidden; }
          table, tbody { display: block; width: 100%; }
          tbody tr + tr { border-top: 1px solid var(--line); }
          tr { padding: 8px 4px; }
          tbody td { display: flex; justify-content: space-between; gap: 12px; padding: 2px 10px;
            border: 0; }
          td::before { content: attr(data-label); color: var(--faint); flex: none; }
          tr { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); }
          td { grid-column: 1 / -1; }
          td.number, td.short { grid-column: auto; text-align: inherit; white-space: normal; }
          td.last { grid-column: 1 / -1; }
          td > span { text-align: right; min-width: 0; }
          meter { display: none; }
          .acts { width: 100%; }
          .acts button { flex: 1; min-height: 40px; }
          details table tr { padding: 8px 0; column-gap: 20px; }
          details table td { padding: 2px 0; }
        }
        @media (prefers-reduced-motion: no-preference) {
          #tiles, #charts, #workers, #failures { transition: opacity .3s; }
        }

        """#
}
