// How the pages look: one column, readable on a phone, light and dark as the system is.

export const pageStyle = `:root{color-scheme:light dark;--ground:#f6f7f9;--card:#fff;--ink:#1b1f27;--soft:#5b6472;--line:#e1e4ea;--busy:#b87b00;--bad:#c72c48;--calm:#697386;
--f0:#3b4252;--f1:#b3263e;--f2:#22733a;--f3:#8a6100;--f4:#2457b8;--f5:#86329b;--f6:#0b6f80;--f7:#6b7483;--f8:#7a8291}
@media(prefers-color-scheme:dark){:root{--ground:#12151b;--card:#1a1e26;--ink:#e7eaf0;--soft:#9aa4b4;--line:#2b313c;--busy:#f0b73d;--bad:#ff6f86;--calm:#8d97a8;
--f0:#7d8698;--f1:#ff7a8c;--f2:#79d28b;--f3:#e8c25a;--f4:#82aaff;--f5:#d79bea;--f6:#6fd0e0;--f7:#c4cbd8;--f8:#7f899a}}
*{box-sizing:border-box;margin:0}
body{min-height:100vh;min-height:100dvh;display:flex;flex-direction:column;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:anywhere}
main,footer{width:100%;max-width:46rem;margin:0 auto;padding:0 1.25rem}
main{flex:1;padding-top:clamp(1.5rem,9vh,5.5rem)}
header{--tone:var(--calm)}.busy{--tone:var(--busy)}.bad{--tone:var(--bad)}
header b{color:var(--soft);font-weight:500;font-size:.95rem}
h1{font-size:clamp(1.5rem,5vw,2.1rem);line-height:1.2;font-weight:650;letter-spacing:-.015em;margin:.15rem 0 .6rem;display:flex;gap:.7rem}
h1 i{flex:none;width:.5em;height:.5em;margin-top:.36em;border-radius:50%;background:var(--tone)}
.busy i{animation:pulse 1.6s ease-out infinite}
@keyframes pulse{0%{box-shadow:0 0 0 0 color-mix(in srgb,var(--tone) 55%,transparent)}80%,to{box-shadow:0 0 0 .65em transparent}}
@media(prefers-reduced-motion:reduce){.busy i{animation:none}}
header p{color:var(--soft);font-size:1.05rem}
time{font-variant-numeric:tabular-nums;opacity:.75;white-space:nowrap}time:before{content:"· "}
dl{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1.4rem}
dl div{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.45rem .9rem .5rem}
dt{color:var(--soft);font-size:.8rem}dd{font-weight:600;font-variant-numeric:tabular-nums}
h2{font-size:.85rem;font-weight:600;color:var(--soft);margin:1.9rem 0 .55rem}
ol,ul{list-style:none;padding:0}
.chain{margin-top:1.6rem}
.chain li{position:relative;padding:0 0 .9rem 1.5rem}
.chain li:before{content:"";position:absolute;left:.1rem;top:.5em;width:.55rem;height:.55rem;border-radius:50%;border:2px solid var(--tone)}
.chain li:last-child:before{background:var(--tone)}
.chain li:not(:last-child):after{content:"";position:absolute;left:.42rem;top:1.35em;bottom:-.25em;border-left:2px solid var(--line)}
.chain b{font-weight:600}.chain em{font-style:normal;color:var(--tone);font-size:.85rem;margin-left:.3rem}
.chain span{display:block;color:var(--soft);font-size:.92rem}
.steps li{padding:.15rem 0 .45rem}
code,pre{font:.86rem/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
code{display:block;width:fit-content;max-width:100%;margin:.3rem 0 .2rem;padding:.4rem .75rem;border-radius:.5rem;background:var(--card);border:1px solid var(--line);user-select:all;-webkit-user-select:all}
code:before{content:"$ ";color:var(--soft)}
pre{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.8rem 1rem;max-height:46vh;overflow:auto;white-space:pre-wrap;tab-size:4}
footer{display:flex;justify-content:space-between;gap:1rem;color:var(--soft);font-size:.85rem;padding-top:2rem;padding-bottom:1.25rem}
footer span:first-child{font-weight:600}
.bo{font-weight:700}.di{opacity:.7}.it{font-style:italic}.un{text-decoration:underline}
.f0{color:var(--f0)}.f1,.f9{color:var(--f1)}.f2,.f10{color:var(--f2)}.f3,.f11{color:var(--f3)}.f4,.f12{color:var(--f4)}.f5,.f13{color:var(--f5)}.f6,.f14{color:var(--f6)}.f7{color:var(--f7)}.f8{color:var(--f8)}.f15{color:var(--ink)}
[class*=g]{border-radius:.2rem}
.g0,.g8{background:var(--line)}.g1,.g9{background:color-mix(in srgb,var(--f1) 24%,transparent)}.g2,.g10{background:color-mix(in srgb,var(--f2) 24%,transparent)}.g3,.g11{background:color-mix(in srgb,var(--f3) 24%,transparent)}.g4,.g12{background:color-mix(in srgb,var(--f4) 24%,transparent)}.g5,.g13{background:color-mix(in srgb,var(--f5) 24%,transparent)}.g6,.g14{background:color-mix(in srgb,var(--f6) 24%,transparent)}.g7,.g15{background:color-mix(in srgb,var(--ink) 16%,transparent)}
span[class*=g].f0,span[class*=g].f15{color:var(--ink)}`
