// What a page does where scripts run: it follows its events, and turns into the app when that can be reached. Written for
// browsers, not compiled: small, and without words that a browser of some years would not know.

/** Events: `page` with `{title, main}`, `ready` when a request would go through. */
export const pageScript = `(function(){
var url=document.currentScript.dataset.events,main=document.querySelector('main'),kept=null,gone=false
function log(){return main.querySelector('pre')}
function end(){var p=log();if(p)p.scrollTop=p.scrollHeight}
function again(ms){if(gone)return;gone=true;setTimeout(function(){location.reload()},ms)}
function settle(){return Number(main.querySelector('header').dataset.settle)||0}
function selecting(){var s=getSelection();return s&&!s.isCollapsed&&main.contains(s.anchorNode)}
function show(page){
if(selecting()){kept=page;return}
kept=null
var p=log(),top=p&&p.scrollTop+p.clientHeight<p.scrollHeight-8?p.scrollTop:null
document.title=page.title;main.innerHTML=page.main;tick()
if(top===null)end();else if(log())log().scrollTop=top}
var events=new EventSource(url)
events.addEventListener('page',function(e){show(JSON.parse(e.data))})
events.addEventListener('ready',function(){events.close();again(settle())})
events.onerror=function(){if(events.readyState===2)again(2000)}
document.addEventListener('selectionchange',function(){if(kept&&!selecting())show(kept)})
function tick(){var t=main.querySelector('time');if(t)t.textContent=Math.max(0,Math.round((Date.now()-t.dataset.since)/1000))+' s'}
setInterval(tick,1000)
end()
})()`
